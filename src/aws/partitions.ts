/** Partition of a region; regions of AWS's isolated partitions are of none that is known here. */
export function partitionOfRegion(region: string): string | null {
  if (/-iso[a-z]?-/.test(region) || !regionForm.test(region)) return null
  if (region.startsWith('cn-')) return 'aws-cn'
  if (region.startsWith('us-gov-')) return 'aws-us-gov'
  return region.startsWith('eusc-') ? 'aws-eusc' : 'aws'
}

const regionForm = /^[a-z]{2,4}(-[a-z]+)+-\d$/
