// A button that shows a picture and says its name.
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
      disabled={disabled ?? false}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
