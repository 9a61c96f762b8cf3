import { BrokerError } from '../session.ts'

/** Where a request leads, by its path. */
export interface ClusterPath {
  readonly resourceId: string
  /** What the cluster gets, with the query, as it came. */
  readonly rest: string
}

const form = /^\/k8s\/([0-9]{12})\/([a-z]{2,4}(?:-[a-z]+)+-[0-9])\/([0-9A-Za-z][A-Za-z0-9_-]{0,99})(?=$|[/?])(.*)$/s

/** @throws BrokerError NOT_FOUND */
export function readPlace(kind: string, url: string): ClusterPath {
  const [, account, region, name, rest = ''] = form.exec(url) ?? []
  if (account === undefined)
    throw new BrokerError('NOT_FOUND', 'clusters are at /k8s/ACCOUNT/REGION/NAME', {
      hint: 'Use: sallyport kube RESOURCE',
    })
  return { resourceId: `${kind}/${account}/${region}/${name}`, rest: rest.startsWith('/') ? rest : `/${rest}` }
}
