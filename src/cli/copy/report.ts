import type { Progress } from './progress.ts'

export interface Copied {
  /** At the instance. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** As the broker has it on record. */
  readonly sha256: string
}

export interface NotCopied {
  /** At the instance. */
  readonly path: string
  readonly why: string
}

/** What became of a copy. */
export interface CopyReport {
  readonly progress: Progress
  resource: string
  direction: 'up' | 'down'
  readonly files: Copied[]
  readonly failed: NotCopied[]
  readonly skipped: NotCopied[]
  /** End reason, when the broker cut it. */
  cut?: string
  interrupted: boolean
}

export function newReport(progress: Progress): CopyReport {
  return { progress, resource: '', direction: 'up', files: [], failed: [], skipped: [], interrupted: false }
}

/** @param name below `root`; empty: that itself */
export function pathBelow(root: string, name: string): string {
  if (name === '') return root
  return root.endsWith('/') ? `${root}${name}` : `${root}/${name}`
}
