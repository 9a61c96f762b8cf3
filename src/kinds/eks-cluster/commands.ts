/** Commands of the AWS CLI that administrators run; the broker never changes who may enter a cluster. */
import { shellWord } from '../../../proxy/local/shell-quote.ts'
import type { NeededRights } from './cluster-rights.ts'
import type { ClusterTarget } from './target.ts'

export type ClusterPlace = Pick<ClusterTarget, 'partition' | 'account' | 'region' | 'cluster'>

/** It puts the name of the session, which is the person, into the audit log of the cluster. */
export const usernameTemplate = 'sallyport:{{SessionName}}'

export const auditLogOn = ({ region, cluster }: ClusterPlace) =>
  `aws eks update-cluster-config --region ${region} --name ${cluster} --logging '{"clusterLogging":[{"types":["audit"],"enabled":true}]}'`

/** It cannot be turned back. */
export const accessEntriesOn = ({ region, cluster }: ClusterPlace) =>
  `aws eks update-cluster-config --region ${region} --name ${cluster} --access-config authenticationMode=API_AND_CONFIG_MAP`

export const createEntry = (place: ClusterPlace, role: string) =>
  `${entry('create', place, role)} --username ${shellWord(usernameTemplate)}`

export const updateUsername = (place: ClusterPlace, role: string) =>
  `${entry('update', place, role)} --username ${shellWord(usernameTemplate)}`

export const deleteEntry = (place: ClusterPlace, role: string) => entry('delete', place, role)

function entry(verb: string, { region, cluster }: ClusterPlace, role: string): string {
  return `aws eks ${verb}-access-entry --region ${region} --cluster-name ${cluster} --principal-arn ${shellWord(role)}`
}

export function associatePolicy(place: ClusterPlace, role: string, { policy, namespaces }: NeededRights): string {
  const scope = namespaces === null ? 'type=cluster' : `type=namespace,namespaces=${namespaces.join(',')}`
  return `${policyCommand('associate', place, role, policyArn(place, policy))} --access-scope ${shellWord(scope)}`
}

export const disassociatePolicy = (place: ClusterPlace, role: string, arn: string) =>
  policyCommand('disassociate', place, role, arn)

function policyCommand(verb: string, { region, cluster }: ClusterPlace, role: string, arn: string): string {
  return `aws eks ${verb}-access-policy --region ${region} --cluster-name ${cluster} --principal-arn ${shellWord(role)} --policy-arn ${arn}`
}

export function policyArn({ partition }: Pick<ClusterPlace, 'partition'>, name: string): string {
  return `arn:${partition}:eks::aws:cluster-access-policy/${name}`
}
