/** Stands for the login name of whom a level is given to. */
export const placeholder = '{login}'

export interface EngineUsers {
  /** Longer names would be cut, and would mean another user. */
  readonly longestUser: number
  /** Users that the engine, AWS or installations by habit have: nobody's of the directory. */
  readonly reserved: RegExp
}

/** Of AWS on either engine, and names that administrators are given by default. */
const everywhere = 'rds.*|aws_.*|root|admin|administrator|master|sallyport'

export const postgresUsers: EngineUsers = {
  longestUser: 63,
  reserved: new RegExp(`^(?:${everywhere}|pg_.*|postgres|public|none)$`, 'i'),
}

export const mysqlUsers: EngineUsers = {
  longestUser: 32,
  reserved: new RegExp(`^(?:${everywhere}|mysql|mysql\\..*|mariadb\\..*|event_scheduler)$`, 'i'),
}
