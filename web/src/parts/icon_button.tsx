// A button that shows a picture and says its name. One that can't act now keeps the focus: a
// disabled element would lose it for whoever has just pressed it.
import type { ReactNode } from 'react';

interface IconButtonProps {
  label: string;
  onClick: () => void;
  disabled?: boolean;
  className?: string;
  children: ReactNode;
}

export function IconButton({ label, onClick, disabled, className, children }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`icon-button ${className ?? ''}`}
      title={label}
      aria-label={label}
      aria-disabled={disabled ?? false}
      onClick={() => {
        if (!disabled) onClick();
      }}
    >
      {children}
    </button>
  );
}
