package sentences_test

import (
	"fmt"

	"tandem/domain"
	"tandem/projections/sentences"
)

func ExampleBook_Sentence() {
	book, err := sentences.New()
	if err != nil {
		panic(err)
	}
	fact := sentences.Fact{
		Payload: domain.MilestoneDelivered{Round: 1, On: domain.NewDate(2018, 3, 28)},
		Partner: "nokia",
		Title:   "FP4 field trial",
		Name:    func(domain.PartnerID) string { return "Nokia" },
	}
	fmt.Println(book.Sentence(sentences.English, fact))
	fmt.Println(book.Sentence(sentences.Chinese, fact))
	fmt.Println(book.Sentence(sentences.Finnish, fact))
	// Output:
	// Nokia delivered “FP4 field trial” (delivery 1), dated 28 March 2018
	// Nokia 交付了里程碑“FP4 field trial”（第 1 次交付，日期为 2018年3月28日）
	// Nokia toimitti välitavoitteen ”FP4 field trial” (toimitus 1, päivätty 28.3.2018)
}
