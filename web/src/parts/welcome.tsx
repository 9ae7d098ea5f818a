// What an empty conversation shows: a greeting, some questions, the way back to the last one.
import { useSpeech } from '../language';

interface WelcomeProps {
  onExample: (question: string) => void;
  onPrevious: (() => void) | undefined;
}

export function Welcome({ onExample, onPrevious }: WelcomeProps) {
  const { strings } = useSpeech();
  const examples = [strings.example1, strings.example2, strings.example3];
  return (
    <section className="welcome" aria-labelledby="welcome">
      <h2 id="welcome">{strings.welcomeTitle}</h2>
      <p>{strings.welcomeText}</p>
      <ul className="examples" aria-label={strings.examples}>
        {examples.map((example) => (
          <li key={example}>
            <button type="button" onClick={() => onExample(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
      {onPrevious && (
        <button type="button" className="quiet" onClick={onPrevious}>
          {strings.previousConversation}
        </button>
      )}
    </section>
  );
}
