// Nothing but a place where a precompiled header is made.
