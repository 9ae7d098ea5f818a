// One question with the answer that is shown.
import { memo, type RefObject, useState } from 'react';
import type { Chat } from '../chat';
import { type Answer, type Failure, isFinal, shownAnswer, type Turn } from '../conversation';
import { countTokens, fill, formatNumber, type Speech, useSpeech } from '../language';
import { copyText } from '../markdown';
import { AnswerText } from './answer_text';
import { IconButton } from './icon_button';
import { AgainIcon, CopyIcon, DoneIcon, LeftIcon, RightIcon } from './icons';
import type { QuestionBoxHandle } from './question_box';
import { Reasoning } from './reasoning';

interface TurnViewProps {
  turn: Turn;
  chat: Chat;
  focusBox: RefObject<QuestionBoxHandle | null>;
  canAskAgain: boolean;
}

export const TurnView = memo(function TurnView(props: TurnViewProps) {
  const { turn, chat, focusBox, canAskAgain } = props;
  const { strings } = useSpeech();
  const answer = shownAnswer(turn);
  const again = () => {
    chat.again();
    focusBox.current?.focus();
  };
  return (
    <article className="turn">
      <h2 className="visually-hidden">{strings.yourQuestion}</h2>
      <p className="question" dir="auto">
        {turn.question}
      </p>
      <h3 className="visually-hidden">{strings.theAnswer}</h3>
      <div className="answer" data-state={answer.state} aria-busy={!isFinal(answer)}>
        {answer.reasoning && (
          <Reasoning
            key={turn.shown}
            text={answer.reasoning}
            alone={answer.text === '' && !isFinal(answer)}
          />
        )}
        {answer.text !== '' && <AnswerText text={answer.text} />}
        {answer.failure && (
          <FailureNote failure={answer.failure} onRetry={canAskAgain ? again : undefined} />
        )}
        <div className="below">
          {isFinal(answer) ? (
            <>
              <Versions turn={turn} chat={chat} />
              {answer.text !== '' && <CopyAnswer text={answer.text} />}
              {canAskAgain && !answer.failure && (
                <IconButton label={strings.again} onClick={again}>
                  <AgainIcon />
                </IconButton>
              )}
              <Facts answer={answer} />
            </>
          ) : (
            <Progress answer={answer} />
          )}
        </div>
      </div>
    </article>
  );
});

function Progress({ answer }: { answer: Answer }) {
  const { strings } = useSpeech();
  const writing = answer.reasoning && answer.text === '' ? strings.thinking : strings.writing;
  const words = { waiting: strings.waiting, reading: strings.reading, writing };
  return (
    <p className="progress">
      <span className="pulse" aria-hidden="true" />
      {words[answer.state as keyof typeof words]}
    </p>
  );
}

function Versions({ turn, chat }: { turn: Turn; chat: Chat }) {
  const { strings, language } = useSpeech();
  const count = turn.answers.length;
  if (count < 2) return null;
  const index = formatNumber(language, turn.shown + 1);
  return (
    <div className="versions">
      <IconButton
        label={strings.earlierAnswer}
        disabled={turn.shown === 0}
        onClick={() => chat.show(turn.id, turn.shown - 1)}
      >
        <LeftIcon />
      </IconButton>
      <span>{fill(strings.answerOf, { index, count: formatNumber(language, count) })}</span>
      <IconButton
        label={strings.laterAnswer}
        disabled={turn.shown === count - 1}
        onClick={() => chat.show(turn.id, turn.shown + 1)}
      >
        <RightIcon />
      </IconButton>
    </div>
  );
}

const SAID_MS = 1_600;

function CopyAnswer({ text }: { text: string }) {
  const { strings } = useSpeech();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    if (!(await copyText(text))) return;
    setCopied(true);
    setTimeout(() => setCopied(false), SAID_MS);
  };
  return (
    <IconButton label={copied ? strings.copied : strings.copyAnswer} onClick={copy}>
      {copied ? <DoneIcon /> : <CopyIcon />}
    </IconButton>
  );
}

function Facts({ answer }: { answer: Answer }) {
  const speech = useSpeech();
  const facts = factsOf(answer, speech);
  if (facts.length === 0) return null;
  return (
    <p className="facts">
      {facts.map((fact) => (
        <span key={fact}>{fact}</span>
      ))}
    </p>
  );
}

function factsOf({ state, facts }: Answer, speech: Speech): string[] {
  const { strings, language } = speech;
  if (state === 'stopped') return [strings.stopped];
  if (!facts) return [];
  const { tokens, tokensPerSecond, firstTokenMs, seed, cut } = facts;
  const speed =
    tokensPerSecond && formatNumber(language, tokensPerSecond, tokensPerSecond < 10 ? 1 : 0);
  return [
    ...(cut ? [strings.cut] : []),
    countTokens(speech, tokens),
    ...(speed ? [fill(strings.tokensPerSecond, { n: speed })] : []),
    fill(strings.firstToken, { seconds: formatNumber(language, firstTokenMs / 1000, 2) }),
    fill(strings.seedWas, { seed }),
  ];
}

function FailureNote({
  failure,
  onRetry,
}: {
  failure: Failure;
  onRetry: (() => void) | undefined;
}) {
  const { strings } = useSpeech();
  const words = {
    unreachable: strings.failedUnreachable,
    interrupted: strings.failedInterrupted,
    busy: strings.failedBusy,
    tooLong: strings.failedTooLong,
    refused: strings.failedRefused,
    server: strings.failedServer,
  };
  return (
    <div className="failure">
      <p>{words[failure.kind]}</p>
      {failure.message !== '' && (
        <p className="server-words">{fill(strings.serverSays, { message: failure.message })}</p>
      )}
      {onRetry && (
        <button type="button" onClick={onRetry}>
          {strings.retry}
        </button>
      )}
    </div>
  );
}
