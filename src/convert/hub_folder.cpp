#include "convert/hub_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <utility>

#include "base/mapped_file.h"
#include "base/utf8.h"

namespace jarip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kUsePickles =
    "holds its weights in pickles, which can run any code; load the model with transformers and "
    "save_pretrained(…, safe_serialization=True), or fetch its .safetensors files";

bool is_pickle(const fs::path& path) {
  constexpr std::string_view kEndings[] = {".bin", ".pth", ".pt", ".ckpt", ".pkl"};
  return std::ranges::find(kEndings, path.extension().native()) != std::end(kEndings);
}

std::unexpected<Error> not_found(const fs::path& path, std::string_view what) {
  return fail(ErrorCode::kNotFound, fmt::format("{} {}", path.native(), what), path.native());
}

// Of a module, such as "sentence_transformers.models.Pooling": "Pooling".
std::string_view last_word(std::string_view name) { return name.substr(name.rfind('.') + 1); }

Result<Pooling> pooling_of(const JsonFields& fields) {
  constexpr std::pair<std::string_view, Pooling> kKnown[] = {
      {"pooling_mode_cls_token", Pooling::kFirst},
      {"pooling_mode_mean_tokens", Pooling::kMean},
      {"pooling_mode_lasttoken", Pooling::kLast},
  };
  std::optional<Pooling> found;
  for (const auto& [key, value] : fields.object()) {
    if (!std::string_view(key).starts_with("pooling_mode_") || value != true) continue;
    const auto* const known = std::ranges::find(kKnown, std::string_view(key),
                                                &std::pair<std::string_view, Pooling>::first);
    if (known == std::end(kKnown) || found) {
      return fields.refuse(key,
                           "is true; one of the first token's, the mean and the last token's "
                           "vector can be made here");
    }
    found = known->second;
  }
  if (found) return *found;
  return fields.corrupt("pooling_mode_mean_tokens", "isn't true, and no other way is");
}

}  // namespace

Result<HubFolder> HubFolder::open(const fs::path& path) {
  std::error_code error;
  HubFolder out;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) return not_found(path, "isn't there");
  if (is_pickle(path)) {
    return fail(ErrorCode::kUnsupported, fmt::format("{} {}", path.native(), kUsePickles),
                path.native());
  }
  if (fs::is_directory(status)) {
    out.folder_ = path;
  } else if (path.extension() == ".safetensors") {
    out.folder_ = path.parent_path();
    out.single_ = path;
  } else {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is neither a folder with config.json and .safetensors files nor a "
                            ".safetensors file",
                            path.native()),
                "SOURCE");
  }
  if (!out.has("config.json")) {
    return not_found(out.folder_.empty() ? fs::path(".") : out.folder_,
                     "has no config.json, which says what the model is");
  }
  if (!out.single_ && !out.has("model.safetensors") && !out.has("model.safetensors.index.json")) {
    const bool pickles = out.has("pytorch_model.bin") || out.has("pytorch_model.bin.index.json") ||
                         out.has("consolidated.00.pth");
    if (pickles) {
      return fail(ErrorCode::kUnsupported, fmt::format("{} {}", path.native(), kUsePickles),
                  path.native());
    }
    return not_found(path, "has no model.safetensors and no model.safetensors.index.json");
  }
  return out;
}

std::string HubFolder::name() const {
  std::error_code error;
  const fs::path whole = fs::weakly_canonical(folder_.empty() ? fs::path(".") : folder_, error);
  return replace_invalid(whole.filename().native());
}

bool HubFolder::has(std::string_view name) const {
  std::error_code error;
  return fs::exists(folder_ / name, error);
}

Result<JsonFile> HubFolder::read_json(std::string_view name) const {
  return JsonFile::open(folder_ / name);
}

Result<std::optional<JsonFile>> HubFolder::read_json_if(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  return read_json(name);
}

Result<std::optional<std::string>> HubFolder::read_text_if(std::string_view name) const {
  if (!has(name)) return std::nullopt;
  JARIP_TRY(const MappedFile file, MappedFile::open(folder_ / name));
  if (file.bytes().size() > JsonFile::kMaxBytes) {
    return fail(ErrorCode::kTooLarge, fmt::format("{} is too large", name), std::string(name));
  }
  return std::string(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
}

Result<SafetensorsModel> HubFolder::open_weights() const {
  return single_ ? SafetensorsModel::open_file(*single_) : SafetensorsModel::open_folder(folder_);
}

Result<Pooling> HubFolder::read_pooling() const {
  JARIP_TRY(const auto modules, read_json_if("modules.json"));
  if (!modules) return Pooling::kNone;
  if (!modules->value().is_array()) {
    return fail(ErrorCode::kCorrupt, "modules.json isn't a list", "modules.json");
  }
  Pooling pooling = Pooling::kNone;
  for (const boost::json::value& entry : modules->value().get_array()) {
    if (!entry.is_object()) return fail(ErrorCode::kCorrupt, "modules.json has what is no object");
    const JsonFields module(entry.get_object(), "modules.json");
    JARIP_TRY(const auto type, module.text("type"));
    const std::string_view kind = last_word(type.value_or(""));
    if (kind == "Transformer" || kind == "Normalize") continue;
    if (kind != "Pooling") {
      return module.refuse(
          "type",
          fmt::format("is {}; what it makes of a vector can't be done here", module.shown("type")));
    }
    JARIP_TRY(const auto path, module.text("path"));
    if (!path || path->empty() || path->contains('/') || *path == "..") {
      return module.corrupt("path", "is no name of a folder");
    }
    JARIP_TRY(const JsonFile file, read_json(fmt::format("{}/config.json", *path)));
    JARIP_TRY(const JsonFields fields, file.fields());
    JARIP_TRY(pooling, pooling_of(fields));
  }
  return pooling;
}

}  // namespace jarip
