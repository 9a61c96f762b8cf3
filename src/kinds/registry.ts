import type { Kind } from '../catalog/kind.ts'
import { iamRole } from './iam-role/kind.ts'
import { rdsPostgres } from './rds-postgres/kind.ts'

/** Every kind of resource this build knows, by its name in ids. */
export function createKinds(): ReadonlyMap<string, Kind> {
  const kinds: readonly Kind[] = [iamRole, rdsPostgres]
  return new Map(kinds.map((kind) => [kind.name, kind]))
}
