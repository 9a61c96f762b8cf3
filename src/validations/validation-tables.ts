/** Tables of src/validations; made in src/store/migrations/0017-validations.ts. */
export interface ValidationTables {
  /** One for each thing that is looked at as a whole. */
  validation_subjects: {
    /** `hub`, `rules`, `account/…`, or the id of a resource; `*` for requests of all. */
    subject: string
    ran_at: number | null
    /** When a run was asked for. */
    requested_at: number | null
    /** Of an account: when its spoke role could last be assumed, written once a day at most. */
    good_at: number | null
  }
  /** What its last run found. */
  validations: {
    subject: string
    name: string
    about: string
    why: string
    severity: string
    status: string
    simulated: string | null
    called: string | null
    detail: string
    fix: string | null
    /** When it got its status. */
    since: number
  }
}

declare module '../store/schema.ts' {
  interface Database extends ValidationTables {}
}

export type ValidationRow = ValidationTables['validations']
export type ValidationSubjectRow = ValidationTables['validation_subjects']
