import { type ReactNode, useId, useState } from 'react'
import type { Problem } from '../data/problem.ts'
import { words } from '../words/en.ts'
import { screenWords } from '../words/screens.ts'
import { Dialog } from './dialog.tsx'
import { ReasonField } from './fields.tsx'
import { ProblemNote } from './problem-note.tsx'

interface ReasonDialogProps {
  readonly title: string
  /** What it ends, and what it does not. */
  readonly hint: string
  /** Who reads the reason. */
  readonly reasonHint?: string
  /** Names what is done. */
  readonly button: string
  readonly act: { readonly isPending: boolean; readonly error: Problem | null }
  /** Something else is needed first. */
  readonly isBlocked?: boolean
  /** Fields beneath the reason. */
  readonly children?: ReactNode
  /** @param body without a reason where none was given */
  onConfirm(body: { readonly reason?: string }): void
  onClose(): void
}

/** Takes something away, with a reason. Nothing is undone, so the button says what it does. */
export function ReasonDialog(props: ReasonDialogProps) {
  const { title, hint, reasonHint, button, act, isBlocked = false, children, onConfirm, onClose } = props
  const form = useId()
  const [reason, setReason] = useState('')
  return (
    <Dialog title={title} onClose={onClose}>
      <p>{hint}</p>
      <form
        className="form"
        id={form}
        onSubmit={(event) => {
          event.preventDefault()
          const given = reason.trim()
          onConfirm(given === '' ? {} : { reason: given })
        }}
      >
        <ReasonField value={reason} isNeeded={false} hint={reasonHint} onChange={setReason} />
        {children}
      </form>
      {act.error && <ProblemNote problem={act.error} />}
      <div className="actions">
        <button type="button" onClick={onClose}>
          {words.cancel}
        </button>
        <button type="submit" form={form} className="danger" disabled={act.isPending || isBlocked}>
          {act.isPending ? screenWords.asking : button}
        </button>
      </div>
    </Dialog>
  )
}
