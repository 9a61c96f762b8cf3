import type { Problem } from '../data/problem.ts'
import { signInPath } from '../data/sign-in.ts'
import { sentence, words } from '../words/en.ts'

interface ProblemNoteProps {
  readonly problem: Problem
  onRetry?(): void
}

/** What the broker refused, and the way on. */
export function ProblemNote({ problem: { code, message, requestId }, onRetry }: ProblemNoteProps) {
  const isSignIn = code === 'LOGIN_REQUIRED' || code === 'LOGIN_TOO_OLD' || code === 'LOGIN_EXPIRED'
  const text = code === 'UNREACHABLE' ? words.unreachable : code === 'LOGIN_REQUIRED' ? words.signedOut : message
  return (
    <div className="problem" role="alert">
      <p>{sentence(text)}</p>
      <div className="actions">
        {requestId !== undefined && <span className="muted">{words.requestId(requestId)}</span>}
        {isSignIn && (
          <a className="button main" href={signInPath()}>
            {words.signInAgain}
          </a>
        )}
        {!isSignIn && onRetry && (
          <button type="button" onClick={onRetry}>
            {words.tryAgain}
          </button>
        )}
      </div>
    </div>
  )
}
