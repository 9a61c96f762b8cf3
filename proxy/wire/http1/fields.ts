/** Fields of heads (RFC 9112, 5), in the strict form alone: no folding, no bare CR or LF, no controls. */

/** A name and a value; in answers also bytes that are not ASCII, as API servers quote them in warnings. */
const ascii = /([!#$%&'*+.^`|~\w-]+):([\t -~]*)\r\n/y
const latin1 = /([!#$%&'*+.^`|~\w-]+):([\t -~\x80-\xff]*)\r\n/y

/**
 * Names and values by turns, as they came, without the blanks around a value. Takes time in proportion to the text.
 * @param text latin1; whole lines, none of them empty @returns null: it has anything that is not such a field
 */
export function readFields(text: string, charset: 'ascii' | 'latin1'): string[] | null {
  const field = charset === 'ascii' ? ascii : latin1
  const raw: string[] = []
  let at = 0
  while (at < text.length) {
    field.lastIndex = at
    const found = field.exec(text)
    if (!found) return null
    raw.push(found[1] ?? '', trimBlanks(found[2] ?? ''))
    at = field.lastIndex
  }
  return raw
}

/** Of spaces and tabs; others belong to the value. */
function trimBlanks(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
