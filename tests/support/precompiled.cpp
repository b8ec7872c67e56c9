// Nothing but a place where the precompiled header of the tests is made.
