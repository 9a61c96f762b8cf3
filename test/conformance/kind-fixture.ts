import type { Company } from '../e2e/company.ts'

/** A session as the one who has it sees it. */
export interface OpenSession {
  readonly id: string
  /** Its client goes; kinds without a client of their own leave it out. */
  leave?(): Promise<void>
  /** What its client was told when it was cut; kinds without a client of their own leave it out. */
  told?(): Promise<string>
}

/** What the promises of {@link file://./kinds.test.ts} need of a kind. */
export interface KindFixture {
  /** Last part of the id of a resource of the sandbox, on which alice may be granted `readonly` by bob. */
  readonly resource: string
  /** Instead of `readonly`. */
  readonly level?: string
  /** The role that is assumed to reach it: once for each lease. */
  readonly roleArn: string
  /** Alice opens one. @throws Error when she is refused */
  open(company: Company): Promise<OpenSession>
  /** All that can be done ahead. What it returns opens the session. */
  prepare(company: Company): Promise<() => Promise<OpenSession>>
  /** Connections that targets of this kind saw so far. */
  connections(company: Company): number
  /** Attributes by which its entry of `resources` means another target under the same name. Null: its name is its immutable id. */
  readonly replaced: Readonly<Record<string, unknown>> | null
  /** What the recording of a session that was only opened has. */
  readonly entries: readonly object[]
  /** Attributes of an entry of `resources` that are wrong, and a level that is; each with the paths to be named. */
  readonly broken: {
    readonly resource: Readonly<Record<string, unknown>> & { readonly id: string }
    readonly level: Readonly<Record<string, unknown>>
    readonly paths: readonly string[]
  }
}
