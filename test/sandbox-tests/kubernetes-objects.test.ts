/** The objects of the sandbox's cluster, by the real kubectl with nothing between. */
import t from 'tap'
import { skipInShortRun } from '../long.ts'
import { skipWithoutKubectl } from '../sandbox/programs.ts'
import { openDirectly } from './kubectl.ts'

t.setTimeout(120_000)

t.test('kubectl changes objects', { skip: skipInShortRun || skipWithoutKubectl() }, async (t) => {
  const { cluster, kubectl } = await openDirectly(t)
  const run = async (args: readonly string[], input = '') => {
    const ran = await kubectl(args, { input }).ended
    t.equal(ran.code, 0, `kubectl ${args.join(' ')}: ${ran.stderr}`)
    return ran.stdout
  }
  const object = (resource: string, name: string) => cluster.objects.get(resource, 'shop', name)

  await run(['create', 'configmap', 'made', '--from-literal=colour=blue'])
  t.match(object('configmaps', 'made'), { kind: 'ConfigMap', data: { colour: 'blue' } }, 'it came in protobuf')
  const again = await kubectl(['create', 'configmap', 'made']).ended
  t.match(again, { code: 1, stderr: 'configmaps "made" already exists' })
  await run(['label', 'configmap', 'made', 'tier=front'])
  t.match(object('configmaps', 'made')?.metadata.labels, { tier: 'front' })
  t.match(await run(['get', 'configmap', '-l', 'tier in (front,back),!other', '-o', 'name']), /^configmap\/made\n$/)
  t.equal(await run(['get', 'configmap', '-l', 'tier!=front', '-o', 'name']), 'configmap/settings\n')
  await run(['patch', 'configmap', 'made', '--type=merge', '-p', '{"data":{"colour":null,"size":"9"}}'])
  t.same(object('configmaps', 'made')?.data, { size: '9' })
  await run(['patch', 'configmap', 'made', '--type=json', '-p', '[{"op":"replace","path":"/data/size","value":"8"}]'])
  t.same(object('configmaps', 'made')?.data, { size: '8' })

  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'front' },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: 'front' } },
      template: {
        metadata: { labels: { app: 'front' } },
        spec: {
          containers: [
            { name: 'web', image: 'web:1' },
            { name: 'log', image: 'log:1' },
          ],
        },
      },
    },
  }
  await run(['apply', '-f', '-'], JSON.stringify(deployment))
  await run(['set', 'image', 'deployment/front', 'log=log:2'])
  t.match(object('deployments', 'front'), {
    metadata: { generation: 2 },
    spec: {
      replicas: 2,
      template: {
        spec: {
          containers: [
            { name: 'web', image: 'web:1' },
            { name: 'log', image: 'log:2' },
          ],
        },
      },
    },
    status: { readyReplicas: 2 },
  })

  cluster.denied.add('delete deployments')
  t.match(await kubectl(['delete', 'deployment', 'front']).ended, { code: 1, stderr: /cannot delete resource/ })
  t.ok(object('deployments', 'front'))
  await run(['delete', 'configmap', '--all'])
  t.same(cluster.objects.list('configmaps', 'shop'), [])
})
