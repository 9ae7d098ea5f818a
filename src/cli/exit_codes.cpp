#include "cli/exit_codes.h"

#include <algorithm>

namespace jarip {

std::span<const ExitCode> exit_codes() {
  using enum ErrorCode;
  static const std::vector<ExitCode> kTable = {
      {0, {}, {"done", "끝까지 마침"}},
      {1,
       {kInternal, kMethodNotAllowed, kUnauthorized, kForbidden, kLimitReached},
       {"jarip's own mistake", "jarip 자신의 잘못"}},
      {2, {kInvalidArgument}, {"an option or argument is wrong", "옵션이나 인자가 잘못됨"}},
      {3, {kNotFound}, {"no such model or file", "그런 모델이나 파일이 없음"}},
      {4,
       {kCorrupt, kUnsupported},
       {"a model file that is damaged or of a kind jarip can't run",
        "모델 파일이 깨졌거나 jarip이 돌릴 수 없는 종류임"}},
      {5,
       {kContextOverflow, kTooLarge},
       {"a text longer than the context or a limit", "글이 문맥 길이나 한도를 넘음"}},
      {6,
       {kIo},
       {"the system refused: a file, a folder, a port in use",
        "시스템이 거절함: 파일, 폴더, 이미 쓰이는 포트"}},
      {7,
       {kUnavailable, kTimeout},
       {"not now: no memory, or too much waiting", "지금은 안 됨: 메모리가 모자라거나 밀려 있음"}},
      {130, {kCancelled}, {"stopped by Ctrl-C", "Ctrl-C로 멈춤"}},
  };
  return kTable;
}

int exit_code_of(ErrorCode error) {
  for (const ExitCode& row : exit_codes()) {
    if (std::ranges::find(row.errors, error) != row.errors.end()) return row.code;
  }
  return 1;
}

}  // namespace jarip
