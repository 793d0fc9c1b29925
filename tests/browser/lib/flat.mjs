// SPDX-License-Identifier: BSD-2-Clause

// Whether a heap stays flat: a judge of samples [seconds, bytes], each taken after a
// collection.  What is judged is the trend, not any one sample.

const HOUR = 3600;
/** Growth in an hour that is no leak: 2 MiB, or a tenth of the heap. */
const FLOOR = 2 << 20;
const SHARE = 0.1;
/** The first fifth of a run is the page's to fill what it keeps. */
const WARM_UP = 0.2;
export const SAMPLES_MIN = 20;

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Theil and Sen: the median of the slopes between any two samples; outliers don't move it. */
function slopeOf(samples) {
  const slopes = [];
  for (let i = 0; i < samples.length; i++) {
    for (let k = i + 1; k < samples.length; k++) {
      slopes.push((samples[k][1] - samples[i][1]) / (samples[k][0] - samples[i][0]));
    }
  }
  return median(slopes);
}

/** { flat, perHour, limit, heap }, bytes each but for flat. */
export function judge(samples) {
  const end = samples.at(-1)?.[0] ?? 0;
  const warm = samples.filter(([seconds]) => seconds >= end * WARM_UP);
  if (warm.length < SAMPLES_MIN) throw new Error(`${warm.length} samples are too few`);
  const heap = median(warm.map(([, bytes]) => bytes));
  const perHour = Math.round(slopeOf(warm) * HOUR);
  const limit = Math.max(FLOOR, heap * SHARE);
  return { flat: perHour <= limit, perHour, limit: Math.round(limit), heap };
}
