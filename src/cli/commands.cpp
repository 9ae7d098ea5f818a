#include "cli/commands.h"

#include <limits>
#include <utility>

#include "cli/bench_work.h"
#include "cli/version.h"
#include "model/synth_embedding.h"

namespace jarip {
namespace {

constexpr Words kModelHelp = {"A model's name (see jarip models) or the path of a GGUF file",
                              "모델 이름(jarip models 참고) 또는 GGUF 파일의 경로"};
constexpr Words kJsonHelp = {"Write JSON", "JSON으로 쓴다"};

constexpr Words kTextHelp = {"A file of text; standard input if it is -",
                             "글이 든 파일. - 이면 표준 입력에서 읽는다"};

void declare_chunks(OptionSet& set, std::uint32_t& chunk, std::uint32_t& chunks) {
  set.add_number<std::uint32_t>({.name = "chunk",
                                 .value_name = "N",
                                 .help = {"Tokens that are read together", "함께 읽는 토큰 수"},
                                 .reach = Reach::kFlag},
                                chunk, {16, 65536});
  set.add_number<std::uint32_t>(
      {.name = "chunks",
       .value_name = "N",
       .help = {"How many are read; 0 is all of the text", "읽을 묶음 수. 0이면 글 전체"},
       .reach = Reach::kFlag},
      chunks, {0, 1'000'000});
}

void declare_json(OptionSet& set, bool& json) {
  set.add_switch({.name = "json", .help = kJsonHelp, .reach = Reach::kFlag}, json);
}

void declare_system(OptionSet& set, std::optional<std::string>& system) {
  set.add_text({.name = "system",
                .value_name = "TEXT",
                .help = {"What the model is told before the conversation",
                         "대화에 앞서 모델에게 알려 줄 말(시스템 프롬프트)"},
                .reach = Reach::kFlag},
               system);
}

Command declare_run(RunOptions& options) {
  Command command{
      .name = "run",
      .summary = {"Answer one prompt and leave.", "질문 하나에 답하고 끝낸다."},
      .more = {"The answer goes to standard output, everything else to standard error.\n"
               "\n"
               "  jarip run smollm2-135m-instruct \"Why is the sky blue?\"\n"
               "  jarip run model.gguf --raw --greedy -n 16 \"The capital of France is\"\n"
               "  git diff | jarip run model.gguf --system \"Summarise this change.\"",
               "답은 표준 출력으로, 나머지는 모두 표준 오류로 나간다.\n"
               "\n"
               "  jarip run smollm2-135m-instruct \"하늘은 왜 파란가요?\"\n"
               "  jarip run model.gguf --raw --greedy -n 16 \"The capital of France is\"\n"
               "  git diff | jarip run model.gguf --system \"이 변경을 요약해 줘.\""},
      .run = [&options] { return run_run(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.model);
  set.add_argument("PROMPT",
                   {"What to answer; standard input if it is - or absent",
                    "답할 질문. - 이거나 없으면 표준 입력에서 읽는다"},
                   options.prompt);
  set.add_switch({.name = "raw",
                  .help = {"Continue the text as it is, without the model's chat template",
                           "채팅 템플릿 없이 글을 그대로 이어 쓴다"},
                  .reach = Reach::kFlag},
                 options.raw);
  declare_system(set, options.system);
  set.add_switch(
      {.name = "stats",
       .help = {"Print speeds and seed after the answer", "답이 끝나면 속도와 시드를 보여 준다"},
       .reach = Reach::kFlag},
      options.stats);
  declare_sampling(set, options.sampling);
  declare_model_settings(set, options.loading);
  return command;
}

Command declare_chat(ChatOptions& options) {
  Command command{
      .name = "chat",
      .summary = {"Talk with a model.", "모델과 대화한다."},
      .more = {"Ctrl-C stops an answer, Ctrl-D leaves, /help lists what else can be done.",
               "Ctrl-C로 답을 멈추고 Ctrl-D로 나간다. /help를 치면 할 수 있는 일을 보여 준다."},
      .run = [&options] { return run_chat(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.model);
  declare_system(set, options.system);
  set.add_choice<bool>({.name = "history",
                        .value_name = "WORD",
                        .help = {"Whether to keep what is typed in $JARIP_HOME/history",
                                 "입력한 글을 $JARIP_HOME/history에 남길지"}},
                       options.history, {{"on", true}, {"off", false}});
  declare_sampling(set, options.sampling);
  declare_model_settings(set, options.loading);
  return command;
}

Command declare_serve(ServeOptions& options) {
  Command command{
      .name = "serve",
      .summary = {"Answer over HTTP: a page to chat on, and OpenAI's API.",
                  "HTTP로 답한다. 대화 페이지와 OpenAI API를 연다."},
      .more = {"Ctrl-C stops the server once the running answers have ended; again, at once.\n"
               "\n"
               "  jarip serve                             # all models, loaded when asked for\n"
               "  jarip serve --load smollm2-135m-instruct --memory 6G\n"
               "  jarip serve smollm2-135m-instruct       # that one alone\n"
               "  jarip serve model.gguf --port 9000 --ctx 4096\n"
               "  jarip serve model.gguf --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem",
               "Ctrl-C를 누르면 진행 중인 답을 마친 뒤에, 다시 누르면 바로 멈춘다.\n"
               "\n"
               "  jarip serve                             # 모든 모델을, 찾을 때 불러온다\n"
               "  jarip serve --load smollm2-135m-instruct --memory 6G\n"
               "  jarip serve smollm2-135m-instruct       # 이 모델만\n"
               "  jarip serve model.gguf --port 9000 --ctx 4096\n"
               "  jarip serve model.gguf --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem"},
      .run = [&options] { return run_serve(options); }};
  command.options.add_argument(
      "MODEL",
      {"A model's name (see jarip models) or the path of a GGUF file, to serve it alone; without "
       "it, all of the models folder is served",
       "하나만 열 모델의 이름(jarip models 참고) 또는 GGUF 파일의 경로. 없으면 모든 모델을 연다"},
      options.model);
  declare_serve_settings(command.options, options);
  return command;
}

void declare_key_limits(OptionSet& set, KeysCreateOptions& options) {
  constexpr std::int64_t kMost = 1'000'000'000'000;
  set.add_number<std::int64_t>(
      {.name = "requests-per-minute",
       .value_name = "N",
       .help = {"Requests that it may send a minute", "1분에 보낼 수 있는 요청의 수"},
       .reach = Reach::kFlag},
      options.requests_per_minute, {1, kMost});
  set.add_number<std::int64_t>(
      {.name = "tokens-per-minute",
       .value_name = "N",
       .help =
           {"Tokens of prompts and answers that it may use a minute; what one answer uses "
            "beyond that is waited for before the next",
            "1분에 쓸 수 있는 질문과 답의 토큰 수. 답 하나가 넘겨 쓴 만큼 다음 요청이 기다린다"},
       .reach = Reach::kFlag},
      options.tokens_per_minute, {1, kMost});
  set.add_number<std::int64_t>({.name = "token-limit",
                                .value_name = "N",
                                .help = {"Tokens after which it begins no further answer",
                                         "모두 합쳐 이만큼의 토큰을 쓰면 더 답하지 않는다"},
                                .reach = Reach::kFlag},
                               options.token_limit, {1, kMost});
  set.add_number<std::uint32_t>(
      {.name = "weight",
       .value_name = "N",
       .help = {"Its share of a busy machine beside keys with other weights",
                "기계가 바쁠 때 다른 키와 견주어 차지할 몫"},
       .reach = Reach::kFlag},
      options.weight, {1, kMaxKeyWeight});
}

Command declare_keys_create(KeysCreateOptions& options) {
  Command command{
      .name = "keys create",
      .summary = {"Make a key for a client of the server.", "서버를 쓸 클라이언트의 키를 만든다."},
      .more = {"The key is printed once, alone on standard output, and stored nowhere: only its\n"
               "hash is, in $JARIP_HOME/keys.db. Once there is a key, every server of this home\n"
               "asks for one; one that runs asks with the next request.\n"
               "\n"
               "  jarip keys create --name editor\n"
               "  jarip keys create --name prometheus --scope admin\n"
               "  jarip keys create --name guest --expires-in 7d --token-limit 100000",
               "키는 표준 출력으로 한 번만 보여 준다. $JARIP_HOME/keys.db에는 해시만 남으며\n"
               "키 자체는 어디에도 남지 않는다. 키가 하나라도 생기면 이 홈의 모든 서버가\n"
               "다음 요청부터 키를 요구한다.\n"
               "\n"
               "  jarip keys create --name editor\n"
               "  jarip keys create --name prometheus --scope admin\n"
               "  jarip keys create --name guest --expires-in 7d --token-limit 100000"},
      .run = [&options] { return run_keys_create(options); }};
  OptionSet& set = command.options;
  set.add_text({.name = "name",
                .value_name = "NAME",
                .help = {"What to call it in lists", "목록에 보일 이름"},
                .reach = Reach::kFlag},
               options.name);
  set.add_texts({.name = "scope",
                 .value_name = "WORD",
                 .help = {"What it may do: inference (models and answers; the default) or admin "
                          "(metrics); may be given twice",
                          "할 수 있는 일: inference(모델과 답, 기본값) 또는 admin(메트릭). 두 번 "
                          "적어 둘 다 줄 수 있다"},
                 .reach = Reach::kFlag},
                options.scopes);
  set.add_text({.name = "expires-in",
                .value_name = "TIME",
                .help = {"After which it is good for nothing: 30d, 12h, 90m; without it, never",
                         "이 시간이 지나면 못 쓴다: 30d, 12h, 90m. 없으면 기한이 없다"},
                .reach = Reach::kFlag},
               options.expires_in);
  declare_key_limits(set, options);
  return command;
}

Command declare_keys_list(KeysListOptions& options) {
  Command command{
      .name = "keys list",
      .summary = {"Show the keys and what was used with them.", "키와 사용량을 보여 준다."},
      .run = [&options] { return run_keys_list(options); }};
  declare_json(command.options, options.json);
  return command;
}

Command declare_keys_revoke(KeysRevokeOptions& options) {
  Command command{
      .name = "keys revoke",
      .summary = {"End a key, for good and at once.", "키를 당장, 영구히 끊는다."},
      .more = {"Servers that run refuse its next request and end the answers that they are giving.",
               "돌고 있는 서버는 다음 요청을 거절하고, 지금 하고 있는 답도 끊는다."},
      .run = [&options] { return run_keys_revoke(options); }};
  command.options.add_argument("KEY",
                               {"Its prefix as `jarip keys list` shows it, or its name",
                                "`jarip keys list`가 보여 주는 앞부분 또는 이름"},
                               options.key);
  return command;
}

Command declare_models(ModelsOptions& options) {
  Command command{.name = "models",
                  .summary = {"List the models in the library.", "가져온 모델을 나열한다."},
                  .run = [&options] { return run_models(options); }};
  declare_json(command.options, options.json);
  return command;
}

Command declare_pull(PullOptions& options) {
  Command command{
      .name = "pull",
      .summary = {"Fetch a model; without a name, show those worth beginning with.",
                  "모델을 내려받는다. 이름이 없으면 처음 쓰기 좋은 모델을 보여 준다."},
      .more =
          {"What was cut is gone on with by the same command. Proxies are taken from https_proxy,\n"
           "a mirror of the hub from HF_ENDPOINT, a token from HF_TOKEN.\n"
           "\n"
           "  jarip pull\n"
           "  jarip pull llama-3.2-3b-instruct\n"
           "  jarip pull hf:bartowski/SmolLM2-360M-Instruct-GGUF:Q8_0\n"
           "  jarip pull https://example.com/model.gguf --sha256 0a1b…",
           "끊긴 내려받기는 같은 명령으로 이어진다. 프록시는 https_proxy, 허브의 미러는 "
           "HF_ENDPOINT,\n"
           "토큰은 HF_TOKEN에서 가져온다.\n"
           "\n"
           "  jarip pull\n"
           "  jarip pull llama-3.2-korean-bllossom-3b\n"
           "  jarip pull hf:bartowski/SmolLM2-360M-Instruct-GGUF:Q8_0\n"
           "  jarip pull https://example.com/model.gguf --sha256 0a1b…"},
      .run = [&options] { return run_pull(options); }};
  OptionSet& set = command.options;
  set.add_argument("SOURCE",
                   {"A name of the list, hf:OWNER/REPO/FILE, hf:OWNER/REPO:FORMAT, or an address "
                    "with https://",
                    "목록의 이름, hf:OWNER/REPO/FILE, hf:OWNER/REPO:FORMAT 또는 https:// 주소"},
                   options.source);
  set.add_text({.name = "name",
                .value_name = "NAME",
                .help = {"What to call the model; without it, the file's name",
                         "모델을 부를 이름. 없으면 파일 이름"},
                .reach = Reach::kFlag},
               options.name);
  set.add_text({.name = "sha256",
                .value_name = "HEX",
                .help = {"What the file's SHA-256 must be; the hub tells it by itself",
                         "파일의 SHA-256. 허브의 파일은 알아서 확인한다"},
                .reach = Reach::kFlag},
               options.sha256);
  declare_json(set, options.json);
  return command;
}

Command declare_import(ImportOptions& options) {
  Command command{.name = "import",
                  .summary = {"Copy a model file into the library.", "모델 파일을 가져온다."},
                  .run = [&options] { return run_import(options); }};
  command.options.add_argument("FILE", {"A GGUF file", "GGUF 파일"}, options.file);
  command.options.add_text({.name = "name",
                            .value_name = "NAME",
                            .help = {"What to call the model; without it, the file's name",
                                     "모델을 부를 이름. 없으면 파일 이름"},
                            .reach = Reach::kFlag},
                           options.name);
  return command;
}

Command declare_remove(RemoveOptions& options) {
  Command command{.name = "rm",
                  .summary = {"Remove a model from the library.", "가져온 모델을 지운다."},
                  .run = [&options] { return run_remove(options); }};
  command.options.add_argument(
      "NAME", {"A model's name; see jarip models", "모델 이름(jarip models 참고)"}, options.name);
  command.options.add_switch({.name = "yes",
                              .letter = 'y',
                              .help = {"Don't ask", "묻지 않고 지운다"},
                              .reach = Reach::kFlag},
                             options.yes);
  return command;
}

Command declare_inspect(InspectOptions& options) {
  Command command{.name = "inspect",
                  .summary = {"Show what a model file holds and the memory it needs.",
                              "모델 파일의 내용과 필요한 메모리를 보여 준다."},
                  .run = [&options] { return run_inspect(options); }};
  command.options.add_argument("MODEL", kModelHelp, options.model);
  declare_json(command.options, options.json);
  return command;
}

Command declare_tokenize(TokenizeOptions& options) {
  Command command{.name = "tokenize",
                  .summary = {"Show the tokens that a model makes of a text.",
                              "모델이 글을 어떤 토큰으로 나누는지 보여 준다."},
                  .run = [&options] { return run_tokenize(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.model);
  set.add_argument("TEXT",
                   {"What to tokenize; standard input if absent",
                    "토큰으로 나눌 글. 없으면 표준 입력에서 읽는다"},
                   options.text);
  set.add_switch({.name = "special",
                  .help = {"Read control tokens written in the text as such, and add BOS where "
                           "the model wants one",
                           "글에 적힌 제어 토큰을 알아보고, 모델이 원하면 BOS를 붙인다"},
                  .reach = Reach::kFlag},
                 options.special);
  declare_json(set, options.json);
  return command;
}

// Under both its names: what people look for beside the other measures, and what they type.
Command declare_bench(BenchOptions& options, std::string_view name) {
  Command command{.name = name,
                  .summary = {"Measure how fast a model reads and writes on this machine.",
                              "이 기계에서 모델이 읽고 쓰는 속도를 잰다."},
                  .run = [&options] { return run_bench(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.model);
  set.add_number<std::uint32_t>({.name = "prefill",
                                 .letter = 'p',
                                 .value_name = "N",
                                 .help = {"Tokens of the prompt that is read; 0 leaves it out",
                                          "읽을 질문의 토큰 수. 0이면 재지 않는다"},
                                 .reach = Reach::kFlag},
                                options.n_prefill, {0, BenchLimits::kMaxTokens});
  set.add_number<std::uint32_t>({.name = "decode",
                                 .letter = 'n',
                                 .value_name = "N",
                                 .help = {"Tokens of the answer that is written; 0 leaves it out",
                                          "쓸 답의 토큰 수. 0이면 재지 않는다"},
                                 .reach = Reach::kFlag},
                                options.n_decode, {0, BenchLimits::kMaxTokens});
  set.add_number<std::uint32_t>({.name = "batch",
                                 .letter = 'b',
                                 .value_name = "N",
                                 .help = {"Sequences computed at once", "한꺼번에 계산할 글의 수"},
                                 .reach = Reach::kFlag},
                                options.batch, {1, BenchLimits::kMaxBatch});
  set.add_number<std::uint32_t>({.name = "depth",
                                 .letter = 'd',
                                 .value_name = "N",
                                 .help = {"Tokens that each sequence has before what is timed",
                                          "재기 전에 글마다 이미 읽어 둔 토큰 수"},
                                 .reach = Reach::kFlag},
                                options.depth, {0, BenchLimits::kMaxTokens});
  set.add_number<std::uint32_t>({.name = "reps",
                                 .letter = 'r',
                                 .value_name = "N",
                                 .help = {"How often each is measured", "되풀이해서 잴 횟수"},
                                 .reach = Reach::kFlag},
                                options.reps, {1, 1000});
  set.add_switch({.name = "from-stdin",
                  .help = {"Measure what lines of standard input ask for, such as "
                           "\"decode 32 batch 4 depth 512\", and answer each in JSON",
                           "\"decode 32 batch 4 depth 512\" 같은 표준 입력의 줄마다 재고 JSON으로 "
                           "답한다"},
                  .reach = Reach::kFlag},
                 options.from_stdin);
  set.add_switch({.name = "profile",
                  .help = {"Show where the time of each test went, beside the machine's limits",
                           "기계의 한계와 견주어 시간이 어디에 쓰였는지 보여 준다"},
                  .reach = Reach::kFlag},
                 options.profile);
  set.add_switch({.name = "limits",
                  .help = {"Measure the machine itself and not a model",
                           "모델이 아니라 기계 자체의 한계를 잰다"},
                  .reach = Reach::kFlag},
                 options.limits);
  declare_json(set, options.json);
  declare_compute_settings(set, options.loading);
  return command;
}

void declare_eval_settings(OptionSet& set, EvalOptions& options) {
  set.add_argument("TEXT", kTextHelp, options.text);
  declare_chunks(set, options.chunk, options.chunks);
  set.add_number<std::uint32_t>(
      {.name = "skip",
       .value_name = "N",
       .help = {"Tokens at a chunk's beginning that are read and not counted, as little stands "
                "before them; without it, half of the chunk",
                "묶음 앞에서 읽기만 하고 세지 않을 토큰 수. 앞선 글이 짧기 때문이다. 없으면 묶음의 "
                "절반"},
       .reach = Reach::kFlag},
      options.skip, {0, 65535});
  set.add_text({.name = "lora",
                .value_name = "PATH",
                .help = {"An adapter of the model: a GGUF file, or a folder as PEFT saves it",
                         "모델에 쓸 어댑터. GGUF 파일 또는 PEFT가 저장한 폴더"},
                .reach = Reach::kFlag},
               options.lora);
  declare_json(set, options.json);
  declare_compute_settings(set, options.loading);
}

Command declare_eval_perplexity(EvalOptions& options) {
  Command command{
      .name = "eval perplexity",
      .summary = {"Measure how well a model predicts a text.",
                  "모델이 글을 얼마나 잘 예측하는지 잰다."},
      .more = {"The lower the better; comparable between models with one tokenizer only.\n"
               "\n"
               "  jarip eval perplexity model.gguf text.txt",
               "낮을수록 좋다. 토크나이저가 같은 모델끼리만 견줄 수 있다.\n"
               "\n"
               "  jarip eval perplexity model.gguf text.txt"},
      .run = [&options] { return run_eval_perplexity(options); }};
  command.options.add_argument("MODEL", kModelHelp, options.model);
  declare_eval_settings(command.options, options);
  return command;
}

Command declare_eval_kl(EvalOptions& options) {
  Command command{.name = "eval kl",
                  .summary = {"Measure how far a model's predictions are from another's.",
                              "모델의 예측이 다른 모델과 얼마나 다른지 잰다."},
                  .more = {"Both read the text; the base is what the other was made from.\n"
                           "\n"
                           "  jarip eval kl model-q4_k_m.gguf model-f16.gguf text.txt",
                           "두 모델이 같은 글을 읽는다. 기준은 원본 모델이다.\n"
                           "\n"
                           "  jarip eval kl model-q4_k_m.gguf model-f16.gguf text.txt"},
                  .run = [&options] { return run_eval_kl(options); }};
  command.options.add_argument("MODEL", kModelHelp, options.model);
  command.options.add_argument(
      "BASE", {"The model whose predictions count as the truth", "예측의 기준이 되는 모델"},
      options.base);
  declare_eval_settings(command.options, options);
  return command;
}

std::vector<std::pair<std::string_view, FileType>> choices_of_file_types() {
  std::vector<std::pair<std::string_view, FileType>> types;
  for (const FileTypeRow& row : file_types()) types.emplace_back(row.name, row.type);
  return types;
}

void declare_force(OptionSet& set, bool& force) {
  set.add_switch({.name = "force",
                  .help = {"Replace a file of that name", "같은 이름의 파일이 있으면 바꾼다"},
                  .reach = Reach::kFlag},
                 force);
}

Command declare_convert(ConvertOptions& options) {
  Command command{
      .name = "convert",
      .summary = {"Make a GGUF file of a model of Hugging Face's hub.",
                  "허깅페이스 허브의 모델을 GGUF 파일로 바꾼다."},
      .more =
          {"The source is a folder with config.json, the tokenizer's files and .safetensors\n"
           "weights. Without a format they stay in the precision that they have. What can't be\n"
           "honoured exactly is refused by its name.\n"
           "\n"
           "  jarip convert Qwen3-0.6B\n"
           "  jarip convert Qwen3-0.6B small.gguf --format q4_k_m\n"
           "  jarip convert my-lora --base qwen3-0.6b",
           "원본은 config.json, 토크나이저 파일, .safetensors 가중치가 든 폴더다. 형식을 적지\n"
           "않으면 가중치의 정밀도를 그대로 둔다. 그대로 옮길 수 없는 것은 이름을 대고 거절한다.\n"
           "\n"
           "  jarip convert Qwen3-0.6B\n"
           "  jarip convert Qwen3-0.6B small.gguf --format q4_k_m\n"
           "  jarip convert my-lora --base qwen3-0.6b"},
      .run = [&options] { return run_convert(options); }};
  OptionSet& set = command.options;
  set.add_argument(
      "SOURCE",
      {"A folder, or a .safetensors file beside its config.json; or a LoRA adapter's "
       "folder, as PEFT saves it",
       "폴더, config.json 옆의 .safetensors 파일, 또는 PEFT가 저장한 LoRA 어댑터의 폴더"},
      options.source);
  set.add_argument("OUTPUT",
                   {"Where to write; without it, SOURCE.gguf or SOURCE-FORMAT.gguf in this folder",
                    "쓸 파일. 없으면 이 폴더의 원본.gguf 또는 원본-형식.gguf"},
                   options.output);
  std::vector<std::pair<std::string_view, std::optional<FileType>>> formats = {
      {"keep", std::nullopt}};
  for (const auto& [name, type] : choices_of_file_types()) formats.emplace_back(name, type);
  set.add_choice<std::optional<FileType>>(
      {.name = "format",
       .value_name = "WORD",
       .help = {"How its weights are stored; keep leaves them as they are",
                "가중치를 저장할 형식. keep이면 그대로 둔다"},
       .reach = Reach::kFlag},
      options.format, std::move(formats));
  set.add_choice<std::optional<Pooling>>(
      {.name = "pooling",
       .value_name = "WORD",
       .help = {"How an embedding model makes one vector of a text; auto is as modules.json says, "
                "rank is for Qwen3-Reranker",
                "임베딩 모델이 글 하나를 벡터 하나로 만드는 방법. auto면 modules.json을 따른다. "
                "rank는 Qwen3-Reranker용이다"},
       .reach = Reach::kFlag},
      options.pooling,
      {{"auto", std::nullopt},
       {"none", Pooling::kNone},
       {"mean", Pooling::kMean},
       {"first", Pooling::kFirst},
       {"last", Pooling::kLast},
       {"rank", Pooling::kRank}});
  set.add_text({.name = "base",
                .value_name = "MODEL",
                .help = {"The model that an adapter is for", "어댑터의 바탕이 되는 모델"},
                .reach = Reach::kFlag},
               options.base);
  declare_force(set, options.force);
  declare_threads(set, options.threads);
  return command;
}

Command declare_quantize(QuantizeOptions& options) {
  Command command{
      .name = "quantize",
      .summary = {"Write a model file anew in a smaller format.",
                  "모델 파일을 더 작은 형식으로 다시 쓴다."},
      .more =
          {"The format is what others call a file type: most matrices get it, those that matter\n"
           "more a finer one. With an importance matrix, errors go where they cost least.\n"
           "\n"
           "  jarip quantize model-f16.gguf --format q4_k_m\n"
           "  jarip quantize model-f16.gguf small.gguf --format iq4_xs --imatrix model.imatrix",
           "형식은 흔히 말하는 파일 종류다. 행렬 대부분이 그 형식이 되고, 더 중요한 행렬은 더\n"
           "정밀한 형식이 된다. 중요도 행렬을 주면 오차가 덜 해로운 곳으로 간다.\n"
           "\n"
           "  jarip quantize model-f16.gguf --format q4_k_m\n"
           "  jarip quantize model-f16.gguf small.gguf --format iq4_xs --imatrix model.imatrix"},
      .run = [&options] { return run_quantize(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.source);
  set.add_argument("OUTPUT",
                   {"Where to write; without it, MODEL-FORMAT.gguf in this folder",
                    "쓸 파일. 없으면 이 폴더의 모델-형식.gguf"},
                   options.output);
  set.add_choice<FileType>({.name = "format",
                            .value_name = "WORD",
                            .help = {"How its weights are stored", "가중치를 저장할 형식"},
                            .reach = Reach::kFlag},
                           options.format, choices_of_file_types());
  set.add_text({.name = "imatrix",
                .value_name = "FILE",
                .help = {"How much each column matters: a file of jarip imatrix",
                         "열마다 얼마나 중요한지 적은 파일(jarip imatrix가 만든다)"},
                .reach = Reach::kFlag},
               options.imatrix);
  declare_force(set, options.force);
  declare_threads(set, options.threads);
  return command;
}

Command declare_imatrix(ImatrixOptions& options) {
  Command command{
      .name = "imatrix",
      .summary = {"Measure which columns of a model's matrices matter, for jarip quantize.",
                  "모델 행렬의 어느 열이 중요한지 잰다. jarip quantize에 쓴다."},
      .more =
          {"The model reads text like what it will be used for; some hundred thousand words do.\n"
           "\n"
           "  jarip imatrix model-f16.gguf text.txt -o model.imatrix\n"
           "  jarip quantize model-f16.gguf --format q4_k_m --imatrix model.imatrix",
           "모델이 쓰일 일과 비슷한 글을 읽힌다. 수십만 단어면 넉넉하다.\n"
           "\n"
           "  jarip imatrix model-f16.gguf text.txt -o model.imatrix\n"
           "  jarip quantize model-f16.gguf --format q4_k_m --imatrix model.imatrix"},
      .run = [&options] { return run_imatrix(options); }};
  OptionSet& set = command.options;
  set.add_argument("MODEL", kModelHelp, options.model);
  set.add_argument("TEXT", kTextHelp, options.text);
  set.add_text({.name = "output",
                .letter = 'o',
                .value_name = "FILE",
                .help = {"Where to write; without it, MODEL.imatrix.gguf in this folder",
                         "쓸 파일. 없으면 이 폴더의 모델.imatrix.gguf"},
                .reach = Reach::kFlag},
               options.output);
  declare_chunks(set, options.chunk, options.chunks);
  declare_force(set, options.force);
  declare_threads(set, options.threads);
  return command;
}

Command declare_synth(SynthOptions& options) {
  Command command{
      .name = "synth",
      .summary = {"Write a model file with made-up weights, to measure speed with.",
                  "속도를 재는 데 쓸, 가중치를 지어낸 모델 파일을 만든다."},
      .more = {"Other programs that read GGUF can load the file too. What it says is nonsense.\n"
               "\n"
               "  jarip synth --shape llama-1b --format q4_k_m\n"
               "  jarip bench llama-1b-q4_k_m.gguf",
               "GGUF를 읽는 다른 프로그램에서도 쓸 수 있다. 답은 뜻 없는 글이다.\n"
               "\n"
               "  jarip synth --shape llama-1b --format q4_k_m\n"
               "  jarip bench llama-1b-q4_k_m.gguf"},
      .run = [&options] { return run_synth(options); }};
  std::vector<std::pair<std::string_view, const SynthShape*>> shapes;
  for (const SynthShape& shape : synth_shapes()) shapes.emplace_back(shape.name, &shape);
  options.shape = shapes.front().second;
  OptionSet& set = command.options;
  set.add_choice<const SynthShape*>({.name = "shape",
                                     .value_name = "NAME",
                                     .help = {"The model's size", "모델의 크기"},
                                     .reach = Reach::kFlag},
                                    options.shape, std::move(shapes));
  std::vector<std::pair<std::string_view, const SynthFamily*>> families;
  for (const auto rows : {synth_families(), synth_embedding_families()}) {
    for (const SynthFamily& family : rows) families.emplace_back(family.name, &family);
  }
  options.family = families.front().second;
  set.add_switch({.name = "tiny",
                  .help = {"The smallest size, for tests", "가장 작은 크기. 시험용"},
                  .reach = Reach::kFlag},
                 options.tiny);
  set.add_choice<const SynthFamily*>(
      {.name = "family",
       .value_name = "NAME",
       .help = {"The family whose layers it has", "어느 모델 계열의 층으로 만들지"},
       .reach = Reach::kFlag},
      options.family, std::move(families));
  set.add_choice<FileType>({.name = "format",
                            .value_name = "WORD",
                            .help = {"How its weights are stored", "가중치를 저장할 형식"},
                            .reach = Reach::kFlag},
                           options.format, choices_of_file_types());
  set.add_number<std::uint64_t>(
      {.name = "seed",
       .value_name = "N",
       .help = {"Number that the weights are drawn from; the same number gives the same file",
                "가중치를 뽑는 수. 같은 수는 같은 파일을 만든다"},
       .reach = Reach::kFlag},
      options.seed, {0, std::numeric_limits<std::uint64_t>::max()});
  set.add_text({.name = "output",
                .letter = 'o',
                .value_name = "FILE",
                .help = {"Where to write; without it, FAMILY-SIZE-FORMAT.gguf in this folder",
                         "쓸 파일. 없으면 이 폴더의 계열-크기-형식.gguf"},
                .reach = Reach::kFlag},
               options.output);
  declare_force(set, options.force);
  declare_threads(set, options.threads);
  return command;
}

Command declare_version() {
  return {.name = "version", .summary = {"Print the version.", "버전을 보여 준다."}, .run = [] {
            return run_version();
          }};
}

}  // namespace

OptionSet declare_globals(GlobalOptions& options) {
  OptionSet set;
  set.add_choice<LanguageChoice>(
      {.name = "lang",
       .value_name = "WORD",
       .help = {"Language for people; auto follows LC_ALL, LC_MESSAGES and LANG",
                "보여 줄 말의 언어. auto이면 LC_ALL, LC_MESSAGES, LANG을 따른다"}},
      options.language,
      {{"auto", LanguageChoice::kAuto},
       {"en", LanguageChoice::kEnglish},
       {"ko", LanguageChoice::kKorean}});
  set.add_choice<LogLevel>({.name = "log",
                            .value_name = "WORD",
                            .help = {"The least serious lines to log on standard error",
                                     "표준 오류에 남길 기록의 최소 수준"}},
                           options.log,
                           {{"debug", LogLevel::kDebug},
                            {"info", LogLevel::kInfo},
                            {"warning", LogLevel::kWarning},
                            {"error", LogLevel::kError},
                            {"off", LogLevel::kOff}});
  return set;
}

std::vector<Command> declare_commands(CommandOptions& options) {
  std::vector<Command> commands;
  commands.push_back(declare_run(options.run));
  commands.push_back(declare_chat(options.chat));
  commands.push_back(declare_serve(options.serve));
  commands.push_back(declare_keys_create(options.keys_create));
  commands.push_back(declare_keys_list(options.keys_list));
  commands.push_back(declare_keys_revoke(options.keys_revoke));
  commands.push_back(declare_models(options.models));
  commands.push_back(declare_pull(options.pull));
  commands.push_back(declare_import(options.import));
  commands.push_back(declare_remove(options.remove));
  commands.push_back(declare_inspect(options.inspect));
  commands.push_back(declare_tokenize(options.tokenize));
  commands.push_back(declare_bench(options.bench, "bench"));
  commands.push_back(declare_eval_perplexity(options.eval));
  commands.push_back(declare_eval_kl(options.eval));
  commands.push_back(declare_bench(options.bench, "eval speed"));
  commands.push_back(declare_convert(options.convert));
  commands.push_back(declare_quantize(options.quantize));
  commands.push_back(declare_imatrix(options.imatrix));
  commands.push_back(declare_synth(options.synth));
  commands.push_back(declare_version());
  return commands;
}

}  // namespace jarip
