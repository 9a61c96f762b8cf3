import { Type } from 'typebox'
import { Duration, List, Size, strict } from './members.ts'

export const Recordings = Type.Object(
  {
    dir: Type.Optional(Type.String({ description: 'Folder of recordings', default: './data/recordings' })),
    max_per_session: Type.Optional(Size('A session is ended when its recording reaches this', '1GB')),
    max_per_principal: Type.Optional(
      Size(
        'A principal cannot open sessions once its recordings of one day, at all daemons together, reach this',
        '10GB',
      ),
    ),
    reserve: Type.Optional(Size('Free disk space reserved for the audit log; below it no session opens', '1GB')),
  },
  { ...strict, description: 'Recordings of sessions' },
)

export const Audit = Type.Object(
  {
    checkpoint_every: Type.Optional(
      Duration('A signed checkpoint at least this often, if anything happened', '5m', { most: '24h' }),
    ),
    checkpoint_events: Type.Optional(
      Type.Integer({ minimum: 1, description: 'A signed checkpoint at least after this many events', default: 1000 }),
    ),
    anchors: Type.Optional(
      List(
        Type.Object(
          {
            file: Type.Optional(
              Type.String({
                description: 'Append checkpoints to this file',
                examples: ['/mnt/worm/sallyport-anchors.jsonl'],
              }),
            ),
            stdout: Type.Optional(
              Type.Boolean({ description: 'Print checkpoints to standard output', examples: [true] }),
            ),
          },
          { ...strict, description: 'One destination' },
        ),
        'Destinations for checkpoints that the daemon cannot rewrite',
      ),
    ),
  },
  { ...strict, description: 'The audit log' },
)
