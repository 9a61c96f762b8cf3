import { readFileSync } from 'node:fs'
import { test } from 'tap'
import { checkDestination, consoleDestination, loginUrl, signinForm } from '../../../../src/kinds/iam-role/console.ts'

const { consoleFederation: vector } = JSON.parse(
  readFileSync(new URL('../../../fixtures/aws-vectors.json', import.meta.url), 'utf8'),
) as {
  consoleFederation: {
    session: { sessionId: string; sessionKey: string; sessionToken: string }
    getSigninTokenChained: string
    exampleSigninToken: string
    login: string
  }
}

test('what is sent is what the vectors say, without SessionDuration', (t) => {
  const { sessionId: accessKeyId, sessionKey: secretAccessKey, sessionToken } = vector.session
  const form = signinForm({ accessKeyId, secretAccessKey, sessionToken })
  t.equal(`https://signin.aws.amazon.com/federation?${form}`, vector.getSigninTokenChained)
  const parts = {
    issuer: 'https://sallyport.example.com/',
    destination: 'https://us-east-1.console.aws.amazon.com/ec2/home?region=us-east-1',
    token: vector.exampleSigninToken,
  }
  t.equal(loginUrl('https://signin.aws.amazon.com/federation', parts), vector.login)
  t.match(loginUrl('https://x', { ...parts, token: 'a+b/c=& d' }), /SigninToken=a%2Bb%2Fc%3D%26%20d$/)
  t.end()
})

test('destinations: a service, a page of the console of the partition, nothing else', (t) => {
  const to = (wanted?: string, partition = 'aws', region: string | undefined = 'eu-west-1') =>
    consoleDestination(partition, region, wanted)
  t.equal(to(), 'https://console.aws.amazon.com/console/home?region=eu-west-1')
  t.equal(to('s3'), 'https://console.aws.amazon.com/s3/home?region=eu-west-1')
  t.equal(consoleDestination('aws', undefined, 'ec2'), 'https://console.aws.amazon.com/ec2/home')
  t.equal(to('s3', 'aws-us-gov', 'us-gov-west-1'), 'https://console.amazonaws-us-gov.com/s3/home?region=us-gov-west-1')
  t.equal(to('s3', 'aws-cn', 'cn-north-1'), 'https://console.amazonaws.cn/s3/home?region=cn-north-1')
  const page = 'https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1#Instances:'
  t.equal(to(page), page)
  for (const wrong of [
    'http://console.aws.amazon.com/',
    'https://console.aws.amazon.com.evil.example/',
    'https://evilconsole.aws.amazon.com/',
    'https://console.aws.amazon.com:8443/',
    'https://user@console.aws.amazon.com/',
    'javascript:alert(1)',
    '//console.aws.amazon.com/',
    'S3',
    '',
  ])
    t.throws(() => to(wrong), { code: 'INVALID_INPUT' }, wrong)
  t.throws(() => to('https://console.aws.amazon.com/', 'aws-cn'), { code: 'INVALID_INPUT' })
  for (const right of [undefined, 's3', page, 'https://console.amazonaws.cn/s3'])
    t.doesNotThrow(() => checkDestination(right))
  t.throws(() => checkDestination('https://console.aws.amazon.com.evil.example/'), { code: 'INVALID_INPUT' })
  t.throws(() => to('s3', 'aws-iso'), { code: 'UNSUPPORTED' })
  t.end()
})
