// An answer's Markdown as it grows: blocks that no longer change are left as they are, so that a
// selection in them, or a reader's place, is not disturbed.
import { memo, useLayoutEffect, useMemo, useRef } from 'react';
import { fill, useSpeech } from '../language';
import { type Block, type BlockWords, renderBlock, splitBlocks } from '../markdown';

export function AnswerText({ text }: { text: string }) {
  const { strings } = useSpeech();
  const blocks = useMemo(() => splitBlocks(text), [text]);
  const words = useMemo<BlockWords>(
    () => ({ ...strings, image: (alt) => fill(strings.imageNotLoaded, { alt }) }),
    [strings],
  );
  return (
    <div className="answer-text" dir="auto">
      {blocks.map((block, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: blocks only grow at the end
        <BlockView key={i} block={block} words={words} />
      ))}
    </div>
  );
}

interface BlockViewProps {
  block: Block;
  words: BlockWords;
}

const BlockView = memo(
  function BlockView({ block, words }: BlockViewProps) {
    const place = useRef<HTMLDivElement>(null);
    useLayoutEffect(() => {
      place.current?.replaceChildren(renderBlock(block, words));
    }, [block, words]);
    return <div ref={place} />;
  },
  (before, after) => before.block.raw === after.block.raw && before.words === after.words,
);
