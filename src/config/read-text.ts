import { open } from 'node:fs/promises'

export type ReadText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly why: string }

/** Reads a small UTF-8 file. Never blocks on a device, never holds more than `maxBytes`; `why` may be shown in a message. */
export async function readText(path: string, maxBytes: number): Promise<ReadText> {
  try {
    await using handle = await open(path, 'r')
    const info = await handle.stat()
    if (!info.isFile()) return { ok: false, why: 'is not a file' }
    if (info.size > maxBytes) return { ok: false, why: `is larger than ${maxBytes / 1000} KB` }
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile()) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
    return {
      ok: false,
      why: code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'is not UTF-8' : `cannot be read (${code})`,
    }
  }
}
