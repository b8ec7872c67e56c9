// A stranger's program: loads a module, and uses nothing that the module needs.
#include <cstdio>
#include <otter/code.hpp>
#include <otter/node.hpp>

int main() {
  return otter::run([] {
    if (auto const loaded = otter::code::load(ANSWER_MODULE); !loaded)
      std::printf("%s\n", loaded.error().text.c_str());
    std::printf("%d\n", otter::code::latest<int(int)>("answer", "ask")(6));
  });
}
