// What the model thought before its answer: open while there is nothing else to read, folded away
// when the answer begins. Once the reader has opened or closed it, it stays so.
import { type MouseEvent, useState } from 'react';
import { useSpeech } from '../language';
import { AnswerText } from './answer_text';

export function Reasoning({ text, alone }: { text: string; alone: boolean }) {
  const { strings } = useSpeech();
  const [chosen, setChosen] = useState<boolean>();
  const open = chosen ?? alone;
  // Keys click a summary too. The browser's own toggling would go behind the page's back.
  const toggle = (event: MouseEvent) => {
    event.preventDefault();
    setChosen(!open);
  };
  return (
    <details className="reasoning" open={open}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a summary is a control */}
      <summary onClick={toggle}>{strings.reasoning}</summary>
      <AnswerText text={text} />
    </details>
  );
}
