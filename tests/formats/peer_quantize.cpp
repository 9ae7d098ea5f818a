// llama.cpp's quantizer as a command:
//
//   peer_quantize SOURCE OUTPUT FILE_TYPE THREADS [BACKENDS]
//
// FILE_TYPE is the number of general.file_type; BACKENDS is the folder of its libraries, where they
// are loaded at run time.
#include <cstdlib>

#include "ggml-backend.h"
#include "llama.h"

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  if (argc > 5) ggml_backend_load_all_from_path(argv[5]);
  llama_backend_init();
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(std::atoi(argv[3]));
  params.nthread = std::atoi(argv[4]);
  return static_cast<int>(llama_model_quantize(argv[1], argv[2], &params));
}
