import { timeLeft } from '../words/en.ts'
import { ago, everyForm, exactly, isMoment, when } from '../words/times.ts'
import { useNow } from './now.ts'

interface TimeProps {
  readonly at: number
  /** `exact`: to the millisecond, for logs. */
  readonly form?: 'ago' | 'when' | 'exact'
}

export function Time({ at, form = 'ago' }: TimeProps) {
  const now = useNow()
  const text = form === 'exact' ? exactly(at) : form === 'when' ? when(at, now) : ago(at, now)
  return (
    <time dateTime={machineForm(at)} title={everyForm(at)}>
      {text}
    </time>
  )
}

const shortMs = 5 * 60_000

/** Counts down by the broker's clock. */
export function TimeLeft({ until }: { readonly until: number }) {
  const leftMs = until - useNow()
  return (
    <time className={leftMs < shortMs ? 'left short' : 'left'} dateTime={machineForm(until)} title={everyForm(until)}>
      {timeLeft(leftMs)}
    </time>
  )
}

function machineForm(at: number): string | undefined {
  return isMoment(at) ? new Date(at).toISOString() : undefined
}
