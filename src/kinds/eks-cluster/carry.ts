import { KubernetesEndpoint } from '../../../proxy/kubernetes/endpoint.ts'
import { TlsSessions } from '../../../proxy/streams/tls-sessions.ts'
import type { Carrier, CarrierParts } from '../module.ts'

export async function carry(parts: CarrierParts): Promise<Carrier> {
  const endpoint = new KubernetesEndpoint({ ...parts, tlsSessions: new TlsSessions(parts.now), kind: 'eks-cluster' })
  return {
    path: '/k8s',
    connection: (early) => endpoint.connection(early),
    http: (request, response, signedIn) => endpoint.http(request, response, signedIn),
    upgrade: (request, socket, head, signedIn) => endpoint.upgrade(request, socket, head, signedIn),
  }
}
