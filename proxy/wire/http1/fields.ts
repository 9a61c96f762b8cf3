/** Fields of heads (RFC 9112, 5), in the strict form alone: no folding, no bare CR or LF, no controls. */

/** Names and values; in answers also bytes that are not ASCII, as API servers quote them in warnings. */
const ascii = /^(?:[!#$%&'*+.^`|~\w-]+:[\t -~]*\r\n)*$/
const latin1 = /^(?:[!#$%&'*+.^`|~\w-]+:[\t -~\x80-\xff]*\r\n)*$/

/**
 * Names and values by turns, as they came, without the blanks around a value. Takes time in proportion to the text.
 * @param text latin1; whole lines, none of them empty @returns null: it has anything that is not such a field
 */
export function readFields(text: string, charset: 'ascii' | 'latin1'): string[] | null {
  const isOfFields = charset === 'ascii' ? ascii : latin1
  if (!isOfFields.test(text)) return null
  const raw: string[] = []
  let at = 0
  while (at < text.length) {
    const colon = text.indexOf(':', at)
    const end = text.indexOf('\r', colon)
    raw.push(text.slice(at, colon), trimBlanks(text, colon + 1, end))
    at = end + 2
  }
  return raw
}

/** Of spaces and tabs; others belong to the value. */
function trimBlanks(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09
}
