module programs

go 1.17

require github.com/confluentinc/confluent-kafka-go/v2 v2.3.0
