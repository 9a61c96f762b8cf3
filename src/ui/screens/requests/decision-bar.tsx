import { useEffect, useRef, useState } from 'react'
import type { Outcome, RequestView } from '../../../contract/requests.ts'
import { useDraft } from '../../data/draft.ts'
import { useAct } from '../../data/queries.ts'
import { isTyping } from '../../parts/data-list.tsx'
import { Field } from '../../parts/fields.tsx'
import { ProblemNote } from '../../parts/problem-note.tsx'
import { sentence, visible } from '../../words/en.ts'
import { screenWords } from '../../words/screens.ts'

const texts = screenWords.requests
export type Verdict = 'approve' | 'deny'

interface DecisionBarProps {
  readonly request: RequestView
  /** A level that would have done for what like grants were used for. */
  readonly smaller: string | null
  onDecided(verdict: Verdict, outcome: Outcome): void
}

/** The decision is for the request as it is shown: its digest goes with it. Neither button has the focus before one chooses. */
export function DecisionBar({ request, smaller, onDecided }: DecisionBarProps) {
  const comment = useRef<HTMLTextAreaElement>(null)
  const approveButton = useRef<HTMLButtonElement>(null)
  const [text = '', setText] = useDraft(`comment.${request.id}`)
  const [isAsked, setAsked] = useState(false)
  const approve = useAct('POST /api/v1/requests/:id/approve', ['requests', 'grants'])
  const deny = useAct('POST /api/v1/requests/:id/deny', ['requests'])
  useDecisionKeys(request.canDecide, approveButton, comment)
  if (request.status !== 'pending') return null
  if (!request.canDecide)
    return (
      <p className="note">
        {texts.cannot}: {sentence(request.whyNot ?? '')}
      </p>
    )
  const given = text.trim()
  const isBusy = approve.isPending || deny.isPending
  const decide = (verdict: Verdict) => {
    if (verdict === 'deny' && given === '') {
      setAsked(true)
      return comment.current?.focus()
    }
    const ask = {
      params: { id: request.id },
      body: { digest: request.digest, ...(given === '' ? {} : { comment: given }) },
    }
    const done = {
      onSuccess: (outcome: Outcome) => {
        setText('')
        onDecided(verdict, outcome)
      },
    }
    if (verdict === 'approve') approve.mutate(ask, done)
    else deny.mutate(ask, done)
  }
  const problem = approve.error ?? deny.error
  return (
    <form className="decision" aria-label={texts.facts.stages} onSubmit={(event) => event.preventDefault()}>
      {smaller !== null && (
        <p className="smaller">
          {texts.smaller(visible(smaller))}{' '}
          <button
            type="button"
            className="small"
            onClick={() => {
              setText(texts.suggestion(visible(smaller)))
              comment.current?.focus()
            }}
          >
            {texts.suggest(visible(smaller))}
          </button>
        </p>
      )}
      <Field
        label={texts.comment}
        hint={texts.commentHint}
        wrong={isAsked && given === '' ? texts.denyNeeds : undefined}
      >
        {({ id, describedBy }) => (
          <textarea
            id={id}
            ref={comment}
            rows={2}
            maxLength={1000}
            aria-describedby={describedBy}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
      {problem && <ProblemNote problem={problem} />}
      <div className="actions verdicts">
        <button type="button" className="danger" disabled={isBusy} onClick={() => decide('deny')}>
          {deny.isPending ? screenWords.asking : texts.deny} <kbd>d</kbd>
        </button>
        <button type="button" ref={approveButton} className="main" disabled={isBusy} onClick={() => decide('approve')}>
          {approve.isPending ? screenWords.asking : texts.approve} <kbd>a</kbd>
        </button>
      </div>
    </form>
  )
}

/** `a` goes to the button and `d` to the comment: neither decides by itself. */
function useDecisionKeys(
  canDecide: boolean,
  approve: React.RefObject<HTMLButtonElement | null>,
  comment: React.RefObject<HTMLTextAreaElement | null>,
): void {
  useEffect(() => {
    if (!canDecide) return
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return
      const target = event.key === 'a' ? approve.current : event.key === 'd' ? comment.current : undefined
      if (!target) return
      event.preventDefault()
      target.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [canDecide, approve, comment])
}

interface DecidedProps {
  readonly verdict: Verdict
  readonly outcome: Outcome
}

/** What one has just decided, which is no change to be read again. */
export function Decided({ verdict, outcome: { grant, request } }: DecidedProps) {
  return (
    <p className="decided" role="status">
      {texts.outcome[verdict]} {grant ? texts.isGranted : request.status === 'pending' ? texts.stillWaits : ''}
    </p>
  )
}
