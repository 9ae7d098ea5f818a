// Writes fuzz/corpus/gguf: one small file for each construct that the parser knows.
// Usage: make_gguf_corpus FOLDER
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/gguf_writer.h"
#include "tests/support/tiny_encoder.h"

namespace jarip {
namespace {

std::vector<std::pair<std::string_view, GgufWriter>> corpus() {
  std::vector<std::pair<std::string_view, GgufWriter>> files;
  files.emplace_back("empty", GgufWriter());
  files.emplace_back("version2", GgufWriter().set_version(2).add_u32("a.b", 7));
  files.emplace_back("numbers", GgufWriter()
                                    .add_u32("u32", 1)
                                    .add_i32("i32", -1)
                                    .add_u64("u64", 1ULL << 40U)
                                    .add_f32("f32", 0.5F)
                                    .add_f64("f64", -0.5)
                                    .add_bool("bool", true));
  files.emplace_back("texts", GgufWriter()
                                  .add_string("general.architecture", "llama")
                                  .add_strings("tokens", {"a", "", "\xea\xb0\x80", "\xff"}));
  files.emplace_back("arrays", GgufWriter()
                                   .add_ints("ints", {1, -2, 3})
                                   .add_floats("floats", {0.25F, 4.0F})
                                   .add_array("bools", GgufType::kBool, 2,
                                              ByteWriter().number('\0').number('\1').bytes()));
  files.emplace_back("nested", GgufWriter().add_array("k", GgufType::kArray, 0, {}));
  files.emplace_back("tensor", GgufWriter().add_tensor("t", Format::kF32, {2, 3}));
  files.emplace_back("alignment", GgufWriter().set_alignment(8).add_tensor("t", Format::kF16, {3}));
  files.emplace_back("blocks", GgufWriter()
                                   .add_tensor("a", Format::kQ8_0, {32, 2})
                                   .add_tensor("b", Format::kQ4_0, {32})
                                   .add_tensor("c", Format::kQ4_1, {64})
                                   .add_tensor("d", Format::kQ4_K, {256}));
  files.emplace_back("encoder", tiny_encoder(1));
  files.emplace_back("unsupported", GgufWriter().add_tensor_record("t", 16, {256}, 0));
  return files;
}

}  // namespace
}  // namespace jarip

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: make_gguf_corpus FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, writer] : jarip::corpus()) {
    if (writer.write_to(folder / (std::string(name) + ".gguf"))) continue;
    std::fprintf(stderr, "can't write %s\n", (folder / name).c_str());
    return 1;
  }
  return 0;
}
