import type { CompiledQuery } from 'kysely'
import type { Validation, ValidationSubject } from '../contract/aws.ts'
import { type ListSource, listSource } from '../store/lists.ts'
import { type Db, transactOn } from '../store/store.ts'
import type { ValidationRow, ValidationSubjectRow } from './validation-tables.ts'

/** One check as a run found it. */
export type Found = Omit<Validation, 'subject' | 'ranAt' | 'since'>

export interface ValidationFilter {
  readonly subject?: string
  readonly status?: string
}

export interface PutOptions {
  /** Epoch milliseconds. */
  readonly now: number
  /** Of an account: its spoke role could be assumed. */
  readonly isGood: boolean
  /** Which checks the run makes: others of the subject stay. */
  isOwn(name: string): boolean
}

/** Of which a request of all is the row. */
const everything = '*'
/** Between the two parts of a cursor; neither has one. */
const separator = '\n'

/** Queries of src/validations. */
export function createValidationStore(db: Db) {
  const transact = transactOn(db)
  const subjects = () => db.selectFrom('validation_subjects').selectAll()
  const matching = ({ subject, status }: ValidationFilter) => {
    let query = db.selectFrom('validations')
    if (subject !== undefined) query = query.where('validations.subject', '=', subject)
    if (status !== undefined) query = query.where('validations.status', '=', status)
    return query
  }
  const upsertSubject = (row: ValidationSubjectRow): CompiledQuery => {
    const { subject: _, ...rest } = row
    return db
      .insertInto('validation_subjects')
      .values(row)
      .onConflict((conflict) => conflict.column('subject').doUpdateSet(rest))
      .compile()
  }
  const list: (filter: ValidationFilter) => ListSource<ValidationRow & { ran_at: number | null }, Validation> = (
    filter,
  ) => ({
    read: (cursor, limit) => {
      const select = matching(filter)
        .innerJoin('validation_subjects', 'validation_subjects.subject', 'validations.subject')
        .selectAll('validations')
        .select('validation_subjects.ran_at')
        .orderBy('validations.subject')
        .orderBy('validations.name')
        .limit(limit)
      if (cursor === undefined) return select.execute()
      const [subject = '', name = ''] = cursor.split(separator)
      return select
        .where((e) =>
          e.or([
            e('validations.subject', '>', subject),
            e.and([e('validations.subject', '=', subject), e('validations.name', '>', name)]),
          ]),
        )
        .execute()
    },
    cursorOf: ({ subject, name }) => `${subject}${separator}${name}`,
    choose: async (row) => () => toValidation(row, row.ran_at ?? 0),
    count: async (most) => {
      const rows = await matching(filter).select('name').limit(most).execute()
      return rows.length
    },
  })
  return {
    list,
    /** @param known those that would be looked at, whether or not they were */
    async subjectList(known: readonly string[]): Promise<ListSource<ValidationSubject, ValidationSubject>> {
      const rows = await subjects().where('subject', '!=', everything).execute()
      const counts = await db
        .selectFrom('validations')
        .select(['subject', 'status', (e) => e.fn.countAll().as('n')])
        .groupBy(['subject', 'status'])
        .execute()
      const ranAt = new Map(rows.map((row) => [row.subject, row.ran_at]))
      const byKey = new Map(counts.map(({ subject, status, n }) => [`${status} ${subject}`, Number(n)]))
      const names = new Set([...known, ...ranAt.keys()])
      const all = [...names].map((subject): ValidationSubject => {
        const of = (status: string) => byKey.get(`${status} ${subject}`) ?? 0
        return {
          ...{ subject, ranAt: ranAt.get(subject) ?? null, ok: of('ok') },
          ...{ warnings: of('warning'), failed: of('failed'), unknown: of('unknown') },
        }
      })
      return listSource(all, ({ subject }) => subject)
    },
    subject: (name: string): Promise<ValidationSubjectRow | undefined> =>
      subjects().where('subject', '=', name).executeTakeFirst(),
    subjects: (): Promise<ValidationSubjectRow[]> => subjects().execute(),
    /** Writes what a run found, and nothing but the time of it where that is what was known. @returns what is known of it now, of its own */
    async put(subject: string, found: readonly Found[], { now, isGood, isOwn }: PutOptions): Promise<Validation[]> {
      let rows: ValidationRow[] = []
      const read = [
        db.selectFrom('validations').selectAll().where('subject', '=', subject).compile(),
        subjects().where('subject', '=', subject).compile(),
      ]
      await transact(read, ([before = [], own = []]) => {
        const known = new Map((before as ValidationRow[]).map((row) => [row.name, row]))
        const [old] = own as ValidationSubjectRow[]
        rows = found.map((one) => toRow(subject, one, known.get(one.check), now))
        const names = new Set(rows.map(({ name }) => name))
        const gone = [...known.keys()].filter((name) => isOwn(name) && !names.has(name))
        const goodAt = isGood ? now : (old?.good_at ?? null)
        return [
          upsertSubject({ subject, ran_at: now, requested_at: null, good_at: goodAt }),
          ...rows.filter((row) => !isSame(row, known.get(row.name))).map((row) => upsert(db, row)),
          ...(gone.length === 0
            ? []
            : [db.deleteFrom('validations').where('subject', '=', subject).where('name', 'in', gone).compile()]),
        ]
      })
      return rows.map((row) => toValidation(row, now))
    },
    /** Of what is there no more. */
    async remove(gone: readonly string[]): Promise<void> {
      if (gone.length === 0) return
      await transact([], () => [
        db.deleteFrom('validations').where('subject', 'in', gone).compile(),
        db.deleteFrom('validation_subjects').where('subject', 'in', gone).compile(),
      ])
    },
    /** When a run of all was last asked for; 0: never. */
    async requestedAt(): Promise<number> {
      const row = await subjects().where('subject', '=', everything).executeTakeFirst()
      return row?.requested_at ?? 0
    },
    /** Asks for a run of all. */
    async request(at: number): Promise<void> {
      await db.executeQuery(upsertSubject({ subject: everything, ran_at: null, requested_at: at, good_at: null }))
    },
    /** Checks of these names of every subject. */
    async named(names: readonly string[]): Promise<ValidationRow[]> {
      return await db.selectFrom('validations').selectAll().where('name', 'in', names).execute()
    },
    /** How many failed, by severity and by what they are about. */
    async failing(): Promise<{ severity: string; about: string; count: number }[]> {
      const rows = await db
        .selectFrom('validations')
        .select(['severity', 'about', (e) => e.fn.countAll().as('n')])
        .where('status', '=', 'failed')
        .groupBy(['severity', 'about'])
        .execute()
      return rows.map(({ severity, about, n }) => ({ severity, about, count: Number(n) }))
    },
  }
}

export type ValidationStore = ReturnType<typeof createValidationStore>

function upsert(db: Db, row: ValidationRow): CompiledQuery {
  const { subject: _, name: __, ...rest } = row
  return db
    .insertInto('validations')
    .values(row)
    .onConflict((conflict) => conflict.columns(['subject', 'name']).doUpdateSet(rest))
    .compile()
}

function toRow(subject: string, { check, ...found }: Found, before: ValidationRow | undefined, now: number) {
  const since = before?.status === found.status ? before.since : now
  return { subject, name: check, ...found, since }
}

function isSame(row: ValidationRow, before: ValidationRow | undefined): boolean {
  return before !== undefined && columns.every((column) => row[column] === before[column])
}

const columns = ['about', 'why', 'severity', 'status', 'simulated', 'called', 'detail', 'fix', 'since'] as const

function toValidation(row: ValidationRow, ranAt: number): Validation {
  const { name: check, subject, since, detail, fix, why } = row
  return {
    ...{ subject, check, why, detail, fix, ranAt, since },
    about: row.about as Validation['about'],
    severity: row.severity as Validation['severity'],
    status: row.status as Validation['status'],
    simulated: row.simulated as Validation['simulated'],
    called: row.called as Validation['called'],
  }
}
