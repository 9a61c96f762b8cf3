/**
 * What a viewer should know of the size of another terminal.
 * @param size as it was recorded, or came from the broker
 * @returns undefined when this terminal is as large, or the output is none
 */
export function sizeNotice(size: unknown): string | undefined {
  const { columns, rows: height, isTTY } = process.stdout
  if (!isTTY || typeof size !== 'object' || size === null) return undefined
  const { cols, rows } = size as { cols?: unknown; rows?: unknown }
  if (typeof cols !== 'number' || typeof rows !== 'number' || (cols <= columns && rows <= height)) return undefined
  return `the terminal is ${cols}x${rows}, and this one ${columns}x${height}`
}
