import { renderCloudFormation } from '../../src/aws/policies/render-cloudformation.ts'
import { renderTerraform } from '../../src/aws/policies/render-terraform.ts'
import { renderJsonSchema, renderReference } from '../../src/config/reference.ts'
import { kinds } from '../../src/kinds/registry.ts'
import { renderAws } from './aws-page.ts'
import { renderCli } from './cli-page.ts'
import { renderContract } from './contract-snapshot.ts'
import { renderErrors } from './errors-page.ts'
import { renderHttp } from './http-page.ts'
import { renderMetrics } from './metrics-page.ts'
import { renderTerminal } from './terminal-picture.ts'

/** Every generated file, by its path in the repository. */
export const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  'config/schema.json': () => renderJsonSchema(kinds),
  'docs/configuration.md': () => renderReference(kinds),
  'docs/errors.md': renderErrors,
  'docs/metrics.md': renderMetrics,
  'docs/cli.md': renderCli,
  'docs/http.md': renderHttp,
  'docs/aws.md': renderAws,
  'docs/shell.svg': () => renderTerminal('docs/shell.cast'),
  'test/fixtures/contract.json': renderContract,
  ...under('deploy/terraform', renderTerraform(kinds)),
  ...under('deploy/cloudformation', renderCloudFormation(kinds)),
}

function under(folder: string, files: Readonly<Record<string, string>>): Record<string, () => string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, () => text]))
}
