import type { RequestableKind } from '../../../../src/catalog/kind.ts'
import type { PreparationStep } from '../../../../src/catalog/preparation.ts'
import { resource } from '../../access/access-setup.ts'

/** The steps for one resource and its levels, as the configuration would have them. */
export function preparedSteps<T, L>(
  kind: RequestableKind<T, L>,
  levels: Record<string, object>,
  attributes: object = {},
): readonly PreparationStep[] {
  const id = `${kind.name}/111122223333/eu-west-1/orders`
  const endpoint = 'orders.abc123.eu-west-1.rds.amazonaws.com'
  const target = kind.target.read(
    resource(id, { attributes: { endpoint, resource_id: 'db-ORDERS', database: 'orders', ...attributes } }),
  )
  const meant = Object.entries(levels).map(([name, raw]) => {
    const level = kind.level.read(raw)
    if (!level.ok) throw new Error(JSON.stringify(level.problems))
    return [name, level.value] as const
  })
  if (!target.ok) throw new Error(JSON.stringify(target.problems))
  return kind.prepare?.(target.value, new Map(meant), { aws: { accounts: {} } }) ?? []
}
