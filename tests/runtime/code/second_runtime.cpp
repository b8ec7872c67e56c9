// Stands for a shared library that has a runtime of its own linked in.

extern "C" [[gnu::visibility("default")]] const char otter_one_runtime = 2;
