import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pythonWith } from './programs.ts'

/** A call and its answer, as they were on the wire: JSON, or the parameters of a form and XML. */
export interface Exchange {
  /** As botocore names it: `organizations`, `sso-admin`. */
  readonly service: string
  readonly operation: string
  readonly status: number
  readonly request: unknown
  readonly answer: unknown
}

const script = fileURLToPath(new URL('python/wire_models.py', import.meta.url))

/**
 * Judges both sides by the models of AWS that botocore brings: members, types, limits, patterns, codes of errors.
 * @returns what does not fit, in words
 * @throws Error where botocore is not installed
 */
export function misfits(exchanges: readonly Exchange[]): string[] {
  const python = pythonWith('botocore') ?? 'python3'
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input: JSON.stringify(exchanges),
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`botocore: ${stderr}`)
  return JSON.parse(stdout.toString()) as string[]
}
