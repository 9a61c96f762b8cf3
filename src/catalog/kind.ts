import type { TObject, TSchema } from 'typebox'
import { BrokerError } from '../../proxy/session.ts'
import type { ImportSettings } from './imports.ts'
import type { TreeNode } from './place.ts'
import type { PolicyPart } from './policy-part.ts'
import type { PreparationStep } from './preparation.ts'
import type { CatalogEntry, Resource } from './resource.ts'
import type { RoleToTry } from './role-to-try.ts'
import type { SessionTags } from './session-tags.ts'

/** A problem in a value, with the path where it is: `endpoint`, `databases[2]`. */
export interface Problem {
  readonly path: string
  readonly message: string
  /** What to do; left out: see the reference. */
  readonly fix?: string
}

export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | {
      readonly ok: false
      readonly problems: readonly Problem[]
      /** What is there is right, and what is missing may be discovered. */
      readonly isPartial?: true
    }

/** The part of the configuration that a kind may read. */
export interface Surroundings {
  readonly aws: { readonly accounts: Readonly<Record<string, { readonly trust: 'hub' | 'web_identity' }>> }
}

/** One line of what a level gives. */
export interface MeaningLine {
  /** As `database user`. */
  readonly label: string
  readonly value: string
}

/** A command of the command line, for a person who holds access. */
export interface CommandHint {
  /** What it opens, as `psql`. */
  readonly title: string
  /** The words of the command, not quoted. */
  readonly words: readonly string[]
}

/** How a person's commands name what they hold. */
export interface CommandsBy {
  /** Of the resource: its id, or the last part of it. */
  readonly name: string
  /** Options that each command needs, as `--level admin`. */
  readonly options: readonly string[]
}

export interface LevelForm<L> {
  readonly schema: TObject
  /** What a level of the configuration means on this kind; reports every problem at once. */
  read(raw: unknown): Parsed<L>
}

export interface PersonalLevels<L> {
  /** The member of a level that holds `{login}`; null: it means the same for everyone. */
  memberOf(level: L): string | null
  /**
   * What a level with it means for one person.
   * @param loginName 1–32 of a–z, 0–9, _ and .
   * @param all levels of this kind, whose users the person must not become
   */
  read(level: L, loginName: string, all: readonly L[]): Parsed<L>
}

export interface TaggedLevels<L> {
  /** Session tags of a level, by key, with `{ticket}` and `{claim:NAME}` in their values; null: it has none. */
  templatesOf(level: L): SessionTags | null
  /** The same level with values in their place. */
  fill(level: L, tags: SessionTags): L
  /** What STS packs together with the tags; as long as in a session, and it allows nothing. */
  packedWith(level: L): { readonly policy: string | null; readonly policyArns: readonly string[] }
}

/**
 * A kind of resource: data and rules, without I/O. The configuration's schema and reference, the forms of ids, the listeners and
 * the AWS policies are derived from a list of these; a module (src/kinds) adds what runs.
 */
export interface Kind<T = unknown, L = unknown> {
  /** First part of its ids. */
  readonly name: string
  /** What comes after the name in an id: ACCOUNT/REGION/NAME, ACCOUNT/NAME, ACCOUNT alone, or another id alone. */
  readonly id: 'regional' | 'account' | 'account-id' | 'global'
  /** The wire protocol its targets speak, a name of proxy/protocols.ts; left out: no client of it comes through the broker. */
  readonly protocol?: string
  /** Those that clients may come by besides, by websocket alone. */
  readonly besides?: readonly string[]
  readonly target: {
    /** The attributes of a catalog entry. A member marked `x-file` names a file, and arrives absolute. */
    readonly schema: TObject
    /** Reports every problem at once. */
    read(resource: Resource): Parsed<T>
  }
  /**
   * What a target is whatever it is called and wherever it is reached: its immutable id within the account and region of the resource.
   * Access is given to this one; what later has its name is another resource.
   */
  targetId(target: T): string
  /** Left out: nothing of it can be requested, and it is there to be seen and selected by. */
  readonly level?: LevelForm<L>
  /** For levels that hold `{login}`, which stands for the login name of whom they are given to. */
  readonly personal?: PersonalLevels<L>
  /** For levels whose sessions carry tags of the organization's own choosing. */
  readonly tagged?: TaggedLevels<L>
  /** What a level gives beyond what it says; the daemon takes it, and `config check` warns. */
  exceeds?(level: L): readonly Problem[]
  /** Why a level does not work on one target. */
  fits?(level: L, target: T): readonly Problem[]
  /** Why the broker cannot reach a target as configured. */
  check?(target: T, surroundings: Surroundings): readonly Problem[]
  /** Where a target stands in the tree of its organization; left out: it is none of its nodes. */
  node?(target: T): TreeNode
  /** Why no rule gives access to a target, in words: `it is …`; null: rules may. Left out: they always may. */
  ungrantable?(target: T): string | null
  /**
   * Whether one that was found comes into the catalog; left out: as `inventory.import` says, and nodes with `inventory.organization`.
   * @param isWritten it is also written by hand
   */
  imports?(settings: ImportSettings, isWritten: boolean): boolean
  /** What lists show for a target, besides its id and tags. */
  shown?(target: T): Readonly<Record<string, string>>
  /** What a level gives on a target, for whom asks and decides; every requestable kind has it. */
  means?(level: L, target: T): readonly MeaningLine[]
  /** Whether a level only reads: by what it says or, where the target alone knows, by its name. Left out: it is not known. */
  readsOnly?(level: L, name: string): boolean
  /** What access by a level to a target is used with, the usual one first; left out: no command uses it. */
  commands?(level: L, target: T, by: CommandsBy): readonly CommandHint[]
  /** What an approver should know of access by a level to a target: what the broker cannot do there. Whole sentences. */
  limits?(target: T, level: L, surroundings: Surroundings): readonly string[]
  /** How long one session may last at most; null: as long as its grant. Left out: every session does. */
  sessionMs?(level: L): number | null
  /**
   * How long what was given goes on when it is taken away, in milliseconds: sessions that AWS holds and does not end. Null: it is not
   * known. Left out: it ends with its grant.
   */
  outlivesMs?(target: T): number | null
  /** Roles that the broker assumes for a target. */
  roles?(target: T): readonly RoleToTry[]
  /** What AWS must allow for this kind, by feature. */
  readonly policies?: readonly PolicyPart[]
  /** What a level needs of the values that policies have, with wildcards as IAM has them, by name. */
  policyValues?(level: L): Readonly<Record<string, string | readonly string[]>>
  /** Where AWS itself keeps who has a target: what the broker must be allowed to change for it, as values of policies, by name. */
  pushed?(target: T): Readonly<Record<string, string>>
  /** Groups of people, as rules name them, that a person is in who is given the target; left out: none. */
  givesGroups?(target: T): readonly string[]
  /** What is run once so that a target takes the sign-ins of these levels, by name; in order. */
  prepare?(target: T, levels: ReadonlyMap<string, L>, surroundings: Surroundings): readonly PreparationStep[]
  /** Those of the features that a target needs. @param hasLevels rules give access to it */
  features?(target: T, hasLevels: boolean): readonly string[]
}

/** A kind that people can request. */
export type RequestableKind<T, L> = Kind<T, L> & { readonly level: LevelForm<L> }

export type Kinds = readonly Kind[]

export function kindNamed(kinds: Kinds, name: string): Kind | undefined {
  return kinds.find((kind) => kind.name === name)
}

/** The kind that the id of a resource names. */
export function kindOf(kinds: Kinds, resourceId: string): Kind | undefined {
  return kindNamed(kinds, resourceId.slice(0, Math.max(0, resourceId.indexOf('/'))))
}

/** The attributes that name files, with what each file holds. */
export function fileMembers({ target }: Kind): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries<TSchema & { 'x-file'?: string }>(target.schema.properties).flatMap(([name, { 'x-file': holds }]) =>
      holds === undefined ? [] : [[name, holds]],
    ),
  )
}

/** What AWS must allow so that these resources can be reached: the names of the features, sorted. @param hasLevels left out: all have */
export function featuresFor(
  kinds: Kinds,
  entries: readonly CatalogEntry[],
  hasLevels: (entry: CatalogEntry) => boolean = () => true,
): string[] {
  const needed = entries.flatMap(
    (entry) => kindNamed(kinds, entry.kind)?.features?.(entry.target, hasLevels(entry)) ?? [],
  )
  return [...new Set(needed)].sort()
}

/** What the levels of these resources need of the values of policies, each once and sorted, by name. */
export function policyValuesFor(
  kinds: Kinds,
  entries: readonly CatalogEntry[],
  levelsOf: (entry: CatalogEntry) => Iterable<unknown>,
): Record<string, string[]> {
  const values = new ValueSets()
  for (const entry of entries) {
    const kind = kindNamed(kinds, entry.kind)
    const levels = [...levelsOf(entry)]
    for (const level of levels) values.add(kind?.policyValues?.(level))
    if (levels.length > 0) values.add(kind?.pushed?.(entry.target))
  }
  return values.sorted()
}

/** What AWS keeps itself of all these resources, whether rules give access to them or not, as values of policies, by name. */
export function pushedValuesOf(kinds: Kinds, entries: readonly CatalogEntry[]): Record<string, string[]> {
  const values = new ValueSets()
  for (const { kind, target } of entries) values.add(kindNamed(kinds, kind)?.pushed?.(target))
  return values.sorted()
}

class ValueSets {
  readonly #sets = new Map<string, Set<string>>()

  add(values: Readonly<Record<string, string | readonly string[]>> = {}): void {
    for (const [name, value] of Object.entries(values)) {
      const known = this.#sets.get(name) ?? new Set()
      for (const one of [value].flat()) known.add(one)
      this.#sets.set(name, known)
    }
  }

  sorted(): Record<string, string[]> {
    return Object.fromEntries([...this.#sets].map(([name, values]) => [name, [...values].sort()]))
  }
}

/** A resource on which a level is held, with what its kind read of both when the configuration was loaded. */
export interface Held<T = unknown, L = unknown> {
  readonly resource: Resource
  readonly target: T
  readonly level: L
}

/** The same, with the types of the kind that read it. @throws BrokerError UNSUPPORTED when another kind did */
export function heldBy<T, L>(kind: Kind<T, L>, held: Held): Held<T, L> {
  if (!isHeldBy(kind, held)) throw new BrokerError('UNSUPPORTED', `${held.resource.id} is not of kind ${kind.name}`)
  return held
}

/** The only unchecked cast: the catalog had the kind of this name parse target and level. */
function isHeldBy<T, L>(kind: Kind<T, L>, held: Held): held is Held<T, L> {
  return held.resource.kind === kind.name
}
