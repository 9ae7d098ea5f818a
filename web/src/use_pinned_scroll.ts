// Keeps the end of the conversation in view while it grows, for as long as the reader stays there.
import { useCallback, useEffect, useRef, useState } from 'react';

/** Nearer to the end than this counts as at the end. */
const NEAR_PX = 48;

const distanceToEnd = () => {
  const page = document.documentElement;
  return page.scrollHeight - page.clientHeight - page.scrollTop;
};

const scrollToEnd = () =>
  // Instant: a smooth scroll would still be under way when the next piece arrives.
  window.scrollTo({ top: document.documentElement.scrollHeight, behavior: 'instant' });

export function usePinnedScroll(): { pinned: boolean; toLatest: () => void } {
  const [pinned, setPinned] = useState(true);
  const pin = useRef(true);
  const lastTop = useRef(0);

  const set = useCallback((next: boolean) => {
    pin.current = next;
    setPinned(next);
  }, []);

  useEffect(() => {
    // Only a move up by the reader lets go; growth below moves nothing by itself.
    const onScroll = () => {
      const top = document.documentElement.scrollTop;
      if (distanceToEnd() <= NEAR_PX) set(true);
      else if (top < lastTop.current) set(false);
      lastTop.current = top;
    };
    // Told of every growth before it is painted: of the answer, and of the question box.
    const growth = new ResizeObserver(() => {
      if (pin.current) scrollToEnd();
    });
    window.addEventListener('scroll', onScroll, { passive: true });
    growth.observe(document.body);
    return () => {
      window.removeEventListener('scroll', onScroll);
      growth.disconnect();
    };
  }, [set]);

  const toLatest = useCallback(() => {
    set(true);
    scrollToEnd();
  }, [set]);
  return { pinned, toLatest };
}
