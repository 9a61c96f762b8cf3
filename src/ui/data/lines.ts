import { type Ask, toRequest } from '../../contract/ask.ts'
import type { LinesKey } from '../../contract/routes.ts'
import { readProblem } from './call.ts'
import { toProblem } from './problem.ts'

/** Of one line: a recorded entry has at most so much. */
const longestLine = 32 * 1_048_576

/**
 * An answer of JSON lines, as they come. @throws Problem
 */
export async function* readLines<K extends LinesKey>(
  key: K,
  ask: NonNullable<Ask<K>[0]>,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const { method, path, body } = toRequest(key, ask)
  const sent = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }
  const response = await fetch(path, { method, redirect: 'error', cache: 'no-store', signal, ...sent }).catch(
    (error: unknown) => {
      throw toProblem(error)
    },
  )
  if (!response.ok) throw readProblem(response.status, await response.json().catch(() => undefined))
  let rest = ''
  for await (const text of textOf(response)) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine) throw toProblem(new Error('a line of the answer is too long'))
    for (const line of lines) if (line !== '') yield JSON.parse(line)
  }
  if (rest !== '') yield JSON.parse(rest)
}

/** Chromium alone reads a stream by `for await`. */
async function* textOf({ body }: Response): AsyncGenerator<string> {
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader()
  if (!reader) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    reader.cancel().catch(() => undefined) // the answer may be over
  }
}
