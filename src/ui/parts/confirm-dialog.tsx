import type { Problem } from '../data/problem.ts'
import { words } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'
import { Dialog } from './dialog.tsx'
import { ProblemNote } from './problem-note.tsx'

interface ConfirmDialogProps {
  readonly title: string
  readonly hint: string
  /** Names what is done. */
  readonly button: string
  readonly act: { readonly isPending: boolean; readonly error: Problem | null }
  /** It gives rather than takes away. */
  readonly isGift?: boolean
  /** @param done closes the dialog */
  onConfirm(done: () => void): void
  onClose(): void
}

export function ConfirmDialog({ title, hint, button, act, isGift = false, onConfirm, onClose }: ConfirmDialogProps) {
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{hint}</p>
      {act.error && <ProblemNote problem={act.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button
          type="button"
          className={isGift ? 'main' : 'danger'}
          disabled={act.isPending}
          onClick={() => onConfirm(onClose)}
        >
          {act.isPending ? screenWords.asking : button}
        </button>
      </div>
    </Dialog>
  )
}
