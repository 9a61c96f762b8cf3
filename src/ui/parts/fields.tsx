import { type ReactNode, useId } from 'react'
import { parseDurationSum } from '../../../proxy/duration.ts'
import { screenWords } from '../words/screens.ts'
import { span } from '../words/times.ts'

interface FieldProps {
  readonly label: string
  /** What is wrong, before anything is sent. */
  readonly wrong?: string | undefined
  readonly hint?: string | undefined
  children(ids: { readonly id: string; readonly describedBy: string }): ReactNode
}

/** A control with its label, and what is wrong with it beneath. */
export function Field({ label, wrong, hint, children }: FieldProps) {
  const id = useId()
  const noteId = `${id}note`
  return (
    <div className={wrong === undefined ? 'field' : 'field wrong'}>
      <label htmlFor={id}>{label}</label>
      {children({ id, describedBy: noteId })}
      <p id={noteId} className="note">
        {wrong ?? hint}
      </p>
    </div>
  )
}

interface ReasonFieldProps {
  readonly value: string
  readonly isNeeded: boolean
  readonly wrong?: string | undefined
  readonly hint?: string | undefined
  onChange(value: string): void
}

const mostReason = 1000

export function ReasonField({ value, isNeeded, wrong, hint, onChange }: ReasonFieldProps) {
  return (
    <Field
      label={isNeeded ? screenWords.reason : `${screenWords.reason} (${screenWords.optional})`}
      wrong={wrong}
      hint={hint}
    >
      {({ id, describedBy }) => (
        <textarea
          id={id}
          aria-describedby={describedBy}
          aria-required={isNeeded}
          rows={3}
          maxLength={mostReason}
          value={value}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
    </Field>
  )
}

const usualMs = [30 * 60_000, 3_600_000, 4 * 3_600_000, 8 * 3_600_000]

interface DurationFieldProps {
  readonly value: number
  readonly mostMs: number | null
  onChange(ms: number): void
}

/** The usual spans that are allowed, and the longest one. */
export function DurationField({ value, mostMs, onChange }: DurationFieldProps) {
  const name = useId()
  const allowed = [
    ...new Set([...usualMs.filter((ms) => mostMs === null || ms <= mostMs), ...(mostMs === null ? [] : [mostMs])]),
  ]
  return (
    <fieldset className="field spans">
      <legend>{screenWords.duration}</legend>
      {allowed.map((ms) => (
        <label key={ms}>
          <input type="radio" name={name} checked={ms === value} onChange={() => onChange(ms)} />
          {span(ms)}
        </label>
      ))}
      <label>
        <span className="muted">{screenWords.catalog.other}</span>
        <input
          type="text"
          className="span"
          placeholder="90m"
          aria-label={screenWords.catalog.other}
          onChange={(event) => {
            const ms = parseDurationSum(event.target.value.trim())
            if (ms !== undefined && ms > 0) onChange(mostMs === null ? ms : Math.min(ms, mostMs))
          }}
        />
      </label>
      {mostMs !== null && <p className="note">{screenWords.catalog.most(span(mostMs))}</p>}
    </fieldset>
  )
}
