import type { ShellState } from '../../terminal/shell.ts'
import { words } from '../../words/en.ts'

const texts = words.terminal
/** Typing is felt to lag. */
const slowMs = 300

/** State of the connection, the program's own title, and what has just happened. */
export function StatusBar({ state }: { readonly state: ShellState | undefined }) {
  const phase = state?.phase ?? 'connecting'
  return (
    <footer className="status">
      <span className="state" data-phase={phase}>
        {texts.phase[phase]}
      </span>
      {state?.title && (
        <span className="caption" title={texts.captionHint}>
          {texts.caption(state.title)}
        </span>
      )}
      <output className="happened" aria-live="polite">
        {state?.copied === null && texts.notCopied}
        {typeof state?.copied === 'number' && texts.copied(state.copied)}
        {state?.copied === undefined && phase === 'live' && state?.gap && texts.back(state.gap.seconds)}
      </output>
      {state?.roundTripMs !== undefined && (
        <span className={state.roundTripMs < slowMs ? 'trip' : 'trip slow'} title={texts.roundTripHint}>
          {texts.roundTrip(state.roundTripMs)}
        </span>
      )}
      {state && <span className="size">{texts.size(state.size)}</span>}
    </footer>
  )
}
