// What the last step of building a module must find: see CMakeLists.txt.

#include <string>

#if defined(NEVER_UNLOADED_UNIQUE_SYMBOL)
template <class T>
struct kept {
  static int counts;
};
template <class T>
int kept<T>::counts = 0;

int count() { return ++kept<int>::counts; }

#elif defined(NEVER_UNLOADED_THREAD_EXIT)
thread_local std::string last_words;

void say(char const* words) { last_words = words; }
#endif
