// A conversation as values: turns of one question and the answers given to it, and how they change.

export type FailureKind =
  | 'unreachable' // no answer from the server at all
  | 'interrupted' // the stream broke off
  | 'busy' // its queue is full
  | 'tooLong' // the conversation no longer fits the model
  | 'refused' // the server named something wrong with the request
  | 'server'; // it failed while answering

export interface Failure {
  kind: FailureKind;
  /** The server's own words, if it had any. */
  message: string;
}

/** waiting: for the model to load; reading: sent, nothing yet; the last three are final. */
export type AnswerState = 'waiting' | 'reading' | 'writing' | 'done' | 'stopped' | 'failed';

export interface AnswerFacts {
  tokens: number;
  /** Undefined when the answer came too quickly to measure. */
  tokensPerSecond?: number;
  firstTokenMs: number;
  seed: number;
  /** The answer ended because it reached the most tokens allowed. */
  cut: boolean;
}

export interface Answer {
  text: string;
  /** What came before the text. */
  reasoning?: string;
  state: AnswerState;
  failure?: Failure;
  facts?: AnswerFacts;
}

export interface Turn {
  id: string;
  question: string;
  /** At least one; asking again adds one. */
  answers: Answer[];
  /** Index of the answer that is shown, and that later questions build on. */
  shown: number;
}

export interface Conversation {
  turns: Turn[];
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export type Change =
  | { type: 'ask'; id: string; question: string }
  | { type: 'again'; id: string }
  | { type: 'stage'; id: string; state: 'reading' | 'writing' }
  | { type: 'append'; id: string; text: string }
  | { type: 'think'; id: string; text: string }
  | { type: 'finish'; id: string; facts: AnswerFacts | undefined }
  | { type: 'stop'; id: string }
  | { type: 'fail'; id: string; failure: Failure }
  | { type: 'show'; id: string; index: number }
  | { type: 'replace'; conversation: Conversation };

export const EMPTY: Conversation = { turns: [] };

const fresh = (): Answer => ({ text: '', state: 'waiting' });

export function isFinal(answer: Answer): boolean {
  return answer.state === 'done' || answer.state === 'stopped' || answer.state === 'failed';
}

export function shownAnswer(turn: Turn): Answer {
  return turn.answers[turn.shown] ?? fresh();
}

export function change(conversation: Conversation, action: Change): Conversation {
  switch (action.type) {
    case 'replace':
      return action.conversation;
    case 'ask': {
      const turn = { id: action.id, question: action.question, answers: [fresh()], shown: 0 };
      return { turns: [...conversation.turns, turn] };
    }
    default:
      return {
        turns: conversation.turns.map((turn) =>
          turn.id === action.id ? changeTurn(turn, action) : turn,
        ),
      };
  }
}

function changeTurn(turn: Turn, action: Exclude<Change, { type: 'ask' | 'replace' }>): Turn {
  switch (action.type) {
    case 'again':
      return askAgain(turn);
    case 'show':
      return { ...turn, shown: Math.max(0, Math.min(action.index, turn.answers.length - 1)) };
    case 'stage':
      return changeLast(turn, (answer) => ({ ...answer, state: action.state }));
    case 'append':
      return changeLast(turn, (answer) => ({
        ...answer,
        state: 'writing',
        text: answer.text + action.text,
      }));
    case 'think':
      return changeLast(turn, (answer) => ({
        ...answer,
        state: 'writing',
        reasoning: (answer.reasoning ?? '') + action.text,
      }));
    case 'finish':
      return changeLast(turn, (answer) => ({
        ...answer,
        state: 'done',
        ...(action.facts && { facts: action.facts }),
      }));
    case 'stop':
      return changeLast(turn, (answer) => ({ ...answer, state: 'stopped' }));
    case 'fail':
      return changeLast(turn, (answer) => ({
        ...answer,
        state: 'failed',
        failure: action.failure,
      }));
  }
}

/** An answer without a word is worth no place of its own: the next one takes it. */
function askAgain(turn: Turn): Turn {
  const answers = turn.answers.filter((answer) => answer.text !== '');
  return { ...turn, answers: [...answers, fresh()], shown: answers.length };
}

/** The last answer is the one being written; a final one changes no more, whatever comes late. */
function changeLast(turn: Turn, changed: (answer: Answer) => Answer): Turn {
  const last = turn.answers.at(-1);
  if (!last || isFinal(last)) return turn;
  return { ...turn, answers: [...turn.answers.slice(0, -1), changed(last)] };
}

/** What the model is to read for the answer to turn `id`: nothing is left out to make it fit. */
export function messagesFor(
  conversation: Conversation,
  id: string,
  systemPrompt: string,
): Message[] {
  const messages: Message[] = [];
  if (systemPrompt.trim() !== '') messages.push({ role: 'system', content: systemPrompt });
  for (const turn of conversation.turns) {
    const { text } = shownAnswer(turn);
    if (turn.id === id) {
      messages.push({ role: 'user', content: turn.question });
      break;
    }
    // A question that never got a word in answer would leave two questions in a row, which
    // many models' templates refuse.
    if (text === '') continue;
    messages.push({ role: 'user', content: turn.question }, { role: 'assistant', content: text });
  }
  return messages;
}
