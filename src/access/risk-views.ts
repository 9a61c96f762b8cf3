import { kindNamed } from '../catalog/kind.ts'
import type { CatalogEntry } from '../catalog/resource.ts'
import { noRisk, type RiskCounts, type RiskSeverity, riskSeverities, sumRisk } from '../catalog/risk.ts'
import type { ResourceView } from '../contract/resources.ts'
import type { Core } from './core.ts'

type RiskView = Pick<ResourceView, 'risk' | 'riskBeneath'>

/**
 * What is shown of the risk of entries. The sums are made with the first account or unit, once for each reader.
 * @param mayRead false: nothing is shown
 */
export function riskReader({ inForce, kinds }: Core, mayRead: boolean): (entry: CatalogEntry) => RiskView {
  let sums: ReadonlyMap<string, RiskCounts> | undefined
  return ({ kind, target, risk = [] }) => {
    if (!mayRead) return { risk: [], riskBeneath: null }
    const node = kindNamed(kinds, kind)?.node?.(target)
    if (node) sums ??= sumRisk(inForce.catalog.all)
    return {
      risk: risk.map(({ code, severity, reason, fix = null }) => ({ code, severity, reason, fix })),
      riskBeneath: node ? (sums?.get(node.id) ?? noRisk) : null,
    }
  }
}

/** Whether a finding of its own or beneath is at least so severe. */
export function reaches({ risk, riskBeneath }: RiskView, least: RiskSeverity): boolean {
  const wanted = riskSeverities.slice(riskSeverities.indexOf(least))
  return wanted.some((one) => risk.some(({ severity }) => severity === one) || (riskBeneath?.[one] ?? 0) > 0)
}
