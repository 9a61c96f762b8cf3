import fc from '../fast-check.ts'

const usual = <T>(...values: readonly T[]) => fc.constantFrom(...values)

const line = usual(
  ...['HTTP/1.1 200 OK', 'HTTP/1.1 200 OK', 'HTTP/1.1 200', 'HTTP/1.0 200 OK', 'HTTP/1.1 204 No', 'HTTP/1.1 304 Not'],
  ...['HTTP/1.1 100 Continue', 'HTTP/1.1 101 No', 'HTTP/1.1 500 \xe4', 'HTTP/2.0 200 OK', 'HTTP/1.1 99 OK', 'SSH-2.0'],
)
const name = usual('Content-Length', 'content-length', 'Transfer-Encoding', 'Connection', 'X', 'X-\xe4', '', 'X ')
const value = usual(
  '0',
  '3',
  '10',
  '+3',
  '3, 3',
  'chunked',
  'Chunked',
  'gzip, chunked',
  'close',
  'Keep-Alive',
  '\xe4',
  '',
)
const field = fc
  .tuple(name, usual(': ', ':', ' :', ':\t'), value, usual('', '', '', ' ', '\r', '\n', '\0', '\r\n '))
  .map((parts) => parts.join(''))
const framing = usual('Content-Length: 3', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked', 'X: y')
const chunk = fc
  .record({
    size: usual('3', '3', '03', 'a', '0', '-1', '0x3', '', ' 3', '1000000000000'),
    extension: usual('', '', '', ';x=y', ' ;x', '; "\xe4"', 'x'),
    end: usual('\r\n', '\r\n', '\r\n', '\n', '\r\r\n'),
    data: usual('abc', 'abc', 'abc', 'ab\n', '0123456789', 'ab', 'abcd'),
    after: usual('\r\n', '\r\n', '\r\n', '\r\n', '\n', ''),
  })
  .map(({ size, extension, end, data, after }) => `${size}${extension}${end}${data}${after}`)
const body = fc.oneof(
  usual('', 'abc', 'abcd', '3\r\nabc\r\n0\r\n\r\n', '0\r\n\r\n'),
  fc
    .tuple(fc.array(chunk, { maxLength: 3 }), usual('0\r\n\r\n', '0\r\nX: y\r\n\r\n', '0\r\nX\r\n\r\n', ''))
    .map(([chunks, end]) => `${chunks.join('')}${end}`),
)

/** Answers to one request, and what is nearly one; latin1. */
export const likelyAnswer = fc
  .record({
    before: usual('', '', '', 'HTTP/1.1 100 Continue\r\n\r\n', '\r\n'),
    line,
    fields: fc.array(fc.oneof({ weight: 3, arbitrary: framing }, { weight: 1, arbitrary: field }), { maxLength: 3 }),
    end: usual('\r\n\r\n', '\r\n\r\n', '\r\n\r\n', '\n\n', ''),
    body,
  })
  .map(({ before, line, fields, end, body }) => `${before}${[line, ...fields].join('\r\n')}${end}${body}`)

export interface ReadAnswer {
  /** Empty: it is not whole. */
  readonly head: string
  readonly body: string
  /** Bytes that the body carries. */
  readonly carried: number
  readonly isOver: boolean
}

/** RFC 9112, 6.3 said a second time, with all bytes at hand. @returns null: it is no answer */
export function readAnswer(text: string, isHead: boolean): ReadAnswer | null {
  const end = text.indexOf('\r\n\r\n')
  const partial = { head: '', body: '', carried: 0, isOver: false }
  if (end < 0) return 'HTTP/1.'.startsWith(text.slice(0, 7)) ? partial : null
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const rest = text.slice(end + 4)
  const [, version, code] = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t -~\x80-\xff]*)?$/.exec(first) ?? []
  if (code === undefined || !lines.every(isField)) return null
  const of = (name: string) =>
    lines.filter((line) => line.toLowerCase().startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim())
  const [lengths, codings] = [of('content-length'), of('transfer-encoding').map((text) => text.toLowerCase())]
  const isOdd =
    lengths.length + codings.length > 1 || (codings.length === 1 && (version === '0' || codings[0] !== 'chunked'))
  if (isOdd) return null
  if (code.startsWith('1') && code !== '101') return readAnswer(rest, isHead)
  const head = `${code} ${lines.length}`
  if (isHead || code === '101' || code === '204' || code === '304') return { head, body: '', carried: 0, isOver: true }
  if (codings.length === 1) return readChunks(head, rest)
  const [length] = lengths
  if (length === undefined) return { head, body: rest, carried: rest.length, isOver: false }
  if (!/^\d{1,15}$/.test(length)) return null
  const body = rest.slice(0, Number(length))
  return { head, body, carried: body.length, isOver: body.length === Number(length) }
}

function readChunks(head: string, rest: string): ReadAnswer | null {
  const lines = { at: 0, next: () => '' as string | null | undefined }
  /** Undefined: it is not whole; null: it has no CR. */
  lines.next = () => {
    const end = rest.indexOf('\n', lines.at)
    if (end < 0) return undefined
    const line = rest.slice(lines.at, end + 1)
    lines.at = end + 1
    return line.endsWith('\r\n') ? line.slice(0, -2) : null
  }
  let carried = 0
  const partial = () => ({ head, body: rest, carried, isOver: false })
  for (;;) {
    const line = lines.next()
    if (line === undefined) return partial()
    if (line === null || !/^[0-9a-f]{1,12}(?:[\t ]*;[\t -~]*)?$/i.test(line)) return null
    const size = Number.parseInt(line, 16)
    if (size === 0) break
    carried += Math.min(size, rest.length - lines.at)
    if (rest.length - lines.at < size) return partial()
    lines.at += size
    const after = lines.next()
    if (after === undefined) return partial()
    if (after !== '') return null
  }
  for (;;) {
    const line = lines.next()
    if (line === undefined) return partial()
    if (line === '') return { head, body: rest.slice(0, lines.at), carried, isOver: true }
    if (line === null || !isField(line)) return null
  }
}

function isField(line: string): boolean {
  const colon = line.indexOf(':')
  return (
    /^[!#$%&'*+.^`|~\w-]+$/.test(line.slice(0, Math.max(0, colon))) && /^[\t -~\x80-\xff]*$/.test(line.slice(colon + 1))
  )
}
