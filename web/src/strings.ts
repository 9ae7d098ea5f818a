// Every word the page says, in English and Korean. {name} is filled in where the string is used.

const en = {
  pageTitle: 'jarip',
  otherLanguage: '한국어',
  skipToInput: 'Skip to the question box',

  modelLoading: 'Loading the model…',
  modelUnreachable: 'Server out of reach',
  modelLooking: 'Connecting…',
  modelLocked: 'A key is needed',
  modelReady: 'ready',

  keyNeeded: 'This server asks for a key',
  key: 'Key',
  keyHelp: 'Whoever runs the server makes one with: jarip keys create',
  keyWrong: 'The server does not take this key.',
  keyUse: 'Use this key',

  newConversation: 'New conversation',
  previousConversation: 'Back to the previous conversation',
  settings: 'Settings',
  close: 'Close',

  welcomeTitle: 'What would you like to know?',
  welcomeText:
    'The answers come from a model on your own server. Nothing you write here goes anywhere else.',
  examples: 'Some questions to begin with',
  example1: 'Explain how a rainbow forms, in three sentences.',
  example2: 'Write a short letter thanking a teacher.',
  example3: 'Show a Python function that counts the words of a text.',

  conversation: 'Conversation',
  yourQuestion: 'Your question',
  theAnswer: 'Answer',
  ask: 'Your question',
  askPlaceholder: 'Ask anything',
  askKeys: 'Enter sends, Shift+Enter starts a new line.',
  askCaution: 'A small model makes mistakes: check what matters.',
  send: 'Send',
  stop: 'Stop the answer',
  toLatest: 'To the latest',

  waiting: 'Starts by itself as soon as the model is ready',
  reading: 'Reading',
  writing: 'Writing',
  thinking: 'Thinking',
  reasoning: 'Reasoning',
  stopped: 'Stopped',
  cut: 'Cut at the limit of tokens, which the settings can raise',
  finished: 'The answer is complete.',
  announceStopped: 'The answer was stopped.',
  announceFailed: 'The answer failed.',

  copy: 'Copy',
  copied: 'Copied',
  copyFailed: 'Copying is not allowed',
  copyAnswer: 'Copy the answer',
  again: 'Answer again',
  retry: 'Try again',
  earlierAnswer: 'Earlier answer',
  laterAnswer: 'Later answer',
  answerOf: '{index} of {count}',
  tableRegion: 'Table',
  codeRegion: 'Code',
  imageNotLoaded: 'image: {alt}',

  tokensOne: '{n} token',
  tokensOther: '{n} tokens',
  tokensPerSecond: '{n} tokens/s',
  firstToken: 'first after {seconds} s',
  seedWas: 'seed {seed}',

  failedUnreachable: 'The server cannot be reached. Is jarip still running?',
  failedInterrupted: 'The connection broke off before the answer was complete.',
  failedBusy: 'The server has its hands full just now. Try again in a moment.',
  failedTooLong:
    'This conversation has become longer than the model can read. Start a new one, or ask something shorter.',
  failedRefused: 'The server refused the request.',
  failedServer: 'Something went wrong in the server.',
  serverSays: 'The server says: {message}',

  systemPrompt: 'Instructions',
  systemPromptHelp:
    'What the model should keep in mind in every answer: a tone, a role, a language.',
  systemPromptPlaceholder: 'For example: Answer briefly and plainly.',
  temperature: 'Temperature',
  temperatureHelp: 'How freely the model chooses its words. At 0 it always takes the likeliest.',
  maxTokens: 'Longest answer, in tokens',
  maxTokensHelp:
    'A token is about three quarters of an English word. Empty: as long as the model can.',
  seed: 'Seed',
  seedHelp:
    'The same question with the same seed gets the same answer. Empty: a new seed each time.',
  wholeNumber: 'A whole number from {min} to {max}, or empty.',
  resetSettings: 'Back to the defaults',
  settingsApply: 'Changes apply from the next answer on.',

  notSaved:
    'This browser has no more room: part of this conversation is lost when the page closes.',
};

export type Strings = Record<keyof typeof en, string>;

const ko: Strings = {
  pageTitle: 'jarip 자립',
  otherLanguage: 'English',
  skipToInput: '질문 입력란으로 건너뛰기',

  modelLoading: '모델을 불러오는 중…',
  modelUnreachable: '서버에 연결할 수 없음',
  modelLooking: '연결 중…',
  modelLocked: '키가 필요함',
  modelReady: '준비됨',

  keyNeeded: '이 서버를 쓰려면 키가 필요합니다',
  key: '키',
  keyHelp: '서버를 운영하는 사람이 jarip keys create로 만들어 줍니다.',
  keyWrong: '서버가 이 키를 받아들이지 않습니다.',
  keyUse: '이 키 쓰기',

  newConversation: '새 대화',
  previousConversation: '이전 대화로 돌아가기',
  settings: '설정',
  close: '닫기',

  welcomeTitle: '무엇이 궁금하세요?',
  welcomeText: '내 서버에 있는 모델이 답합니다. 여기에 쓴 글은 다른 곳으로 나가지 않습니다.',
  examples: '이런 질문으로 시작해 보세요',
  example1: '무지개가 생기는 원리를 세 문장으로 설명해 줘.',
  example2: '선생님께 드리는 짧은 감사 편지를 써 줘.',
  example3: '글의 단어 수를 세는 파이썬 함수를 보여 줘.',

  conversation: '대화',
  yourQuestion: '내 질문',
  theAnswer: '답변',
  ask: '질문 입력',
  askPlaceholder: '무엇이든 물어보세요',
  askKeys: 'Enter로 보내고 Shift+Enter로 줄을 바꿉니다.',
  askCaution: '작은 모델은 자주 틀리니 중요한 내용은 꼭 확인하세요.',
  send: '보내기',
  stop: '답변 멈추기',
  toLatest: '맨 아래로',

  waiting: '모델이 준비되면 저절로 시작합니다',
  reading: '읽는 중',
  writing: '쓰는 중',
  thinking: '생각하는 중',
  reasoning: '생각한 과정',
  stopped: '멈춤',
  cut: '토큰 한도에서 끊겼습니다. 설정에서 늘릴 수 있습니다',
  finished: '답변이 끝났습니다.',
  announceStopped: '답변을 멈췄습니다.',
  announceFailed: '답변하지 못했습니다.',

  copy: '복사',
  copied: '복사됨',
  copyFailed: '복사할 수 없음',
  copyAnswer: '답변 복사',
  again: '다시 답하기',
  retry: '다시 시도',
  earlierAnswer: '이전 답변',
  laterAnswer: '다음 답변',
  answerOf: '{count}개 중 {index}번째',
  tableRegion: '표',
  codeRegion: '코드',
  imageNotLoaded: '그림: {alt}',

  tokensOne: '토큰 {n}개',
  tokensOther: '토큰 {n}개',
  tokensPerSecond: '초당 {n}토큰',
  firstToken: '첫 토큰까지 {seconds}초',
  seedWas: '시드 {seed}',

  failedUnreachable: '서버에 연결할 수 없습니다. jarip이 실행 중인지 확인해 주세요.',
  failedInterrupted: '답변이 끝나기 전에 연결이 끊겼습니다.',
  failedBusy: '지금은 서버가 바쁩니다. 잠시 뒤에 다시 시도해 주세요.',
  failedTooLong:
    '대화가 모델이 읽을 수 있는 길이를 넘었습니다. 새 대화를 시작하거나 더 짧게 물어봐 주세요.',
  failedRefused: '서버가 요청을 받아들이지 않았습니다.',
  failedServer: '서버에 문제가 생겼습니다.',
  serverSays: '서버의 설명: {message}',

  systemPrompt: '지침',
  systemPromptHelp: '모든 답변에서 모델이 지킬 점입니다. 말투, 역할, 언어 등을 적어 주세요.',
  systemPromptPlaceholder: '예: 짧고 쉬운 말로 답해 줘.',
  temperature: '온도',
  temperatureHelp:
    '낱말을 얼마나 자유롭게 고를지 정합니다. 0이면 늘 가장 그럴듯한 낱말을 고릅니다.',
  maxTokens: '답변의 최대 길이(토큰)',
  maxTokensHelp:
    '한글은 한 글자가 토큰 하나를 넘기도 합니다. 비워 두면 모델이 쓸 수 있는 만큼 씁니다.',
  seed: '시드',
  seedHelp: '질문과 시드가 같으면 답도 같습니다. 비워 두면 매번 새 시드를 씁니다.',
  wholeNumber: '{min}부터 {max}까지의 정수를 쓰거나 비워 두세요.',
  resetSettings: '기본값으로 되돌리기',
  settingsApply: '바꾼 설정은 다음 답변부터 쓰입니다.',

  notSaved: '브라우저의 저장 공간이 가득 찼습니다. 페이지를 닫으면 이 대화의 일부가 사라집니다.',
};

export const CATALOGUE = { en, ko };
export type Language = keyof typeof CATALOGUE;
