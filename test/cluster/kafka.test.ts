import { kafka } from '../support/services/kafka-backend.ts'
import { testCluster } from './cluster.ts'

testCluster(kafka)
