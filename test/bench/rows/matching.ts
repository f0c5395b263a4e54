import { benchMatching } from '../matching.ts'
import { type Measure, micros, type Row } from '../row.ts'

/** Finding the subscribers of an update among many: the index alone. Its figures are medians already. */
export const matching: Measure = async () =>
  Object.entries(benchMatching()).flatMap(([index, costs]) =>
    Object.entries(costs).map(
      ([update, cost]): Row => ({
        what: `finding the subscribers, ${index}: ${update}`,
        figures: [Number(cost)],
        format: micros,
      }),
    ),
  )
